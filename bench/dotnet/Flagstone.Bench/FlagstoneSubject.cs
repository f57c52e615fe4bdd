// Flagstone's client.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Text.Json;

namespace Flagstone.Bench;

internal sealed class FlagstoneSubject : ISubject
{
    // A request is long enough to be measured by itself.
    private static readonly int[] s_once = [0, 1, 2, 3, 4];

    private readonly FlagstoneClient _client;
    private readonly Context _ada = Ada.Context(Ada.Key);
    private readonly Context _stranger = Context.New(Ada.Stranger);

    internal FlagstoneSubject(string url, string prefix)
    {
        _client = new FlagstoneClient(new FlagstoneOptions { RedisUrl = url, RedisPrefix = prefix });
        if (!_client.StartAsync(TimeSpan.FromSeconds(10)).GetAwaiter().GetResult())
        {
            throw new TimeoutException("Redis does not answer");
        }
    }

    public string Description => $"Flagstone {FlagstoneLibrary.Version}, residency all, freshness push";

    public void Dispose()
    {
        _client.Dispose();
        _ada.Dispose();
        _stranger.Dispose();
    }

    public (bool Ada, bool Stranger) Ask(string key) => (Ask(key, _ada), Ask(key, _stranger));

    public IEnumerable<Row> Rows()
    {
        foreach (Selection selection in Selection.All)
        {
            string[] keys = selection.Keys;
            byte[][] bytes = Bytes(keys);
            Flag<bool>[] flags = [.. keys.Select(key => _client.BoolFlag(key))];
            yield return Row.Of($"bool by key, {selection.Extent}", keys, all =>
            {
                foreach (string key in all)
                {
                    _ = _client.BoolVariation(key, _ada);
                }
            });
            yield return Row.Of($"bool by UTF-8 key, {selection.Extent}", bytes, all =>
            {
                foreach (byte[] key in all)
                {
                    _ = _client.BoolVariation(key, _ada);
                }
            });
            yield return Row.Of($"bool prepared, {selection.Extent}", flags, all =>
            {
                foreach (Flag<bool> flag in all)
                {
                    _ = flag.Value(_ada);
                }
            });
            yield return Row.Of($"bool with reason, {selection.Extent}", keys, all =>
            {
                foreach (string key in all)
                {
                    _ = _client.BoolVariationDetail(key, _ada);
                }
            });
        }
        string[] number = Selection.Number;
        Flag<int>[] ints = [.. number.Select(key => _client.IntFlag(key, 0))];
        Flag<double>[] doubles = [.. number.Select(key => _client.DoubleFlag(key, 0))];
        yield return Row.Of("int by key, one flag", number, all =>
        {
            foreach (string key in all)
            {
                _ = _client.IntVariation(key, _ada, 0);
            }
        });
        yield return Row.Of("int by UTF-8 key, one flag", Bytes(number), all =>
        {
            foreach (byte[] key in all)
            {
                _ = _client.IntVariation(key, _ada, 0);
            }
        });
        yield return Row.Of("int prepared, one flag", ints, all =>
        {
            foreach (Flag<int> flag in all)
            {
                _ = flag.Value(_ada);
            }
        });
        yield return Row.Of("double by key, one flag", number, all =>
        {
            foreach (string key in all)
            {
                _ = _client.DoubleVariation(key, _ada, 0);
            }
        });
        yield return Row.Of("double by UTF-8 key, one flag", Bytes(number), all =>
        {
            foreach (byte[] key in all)
            {
                _ = _client.DoubleVariation(key, _ada, 0);
            }
        });
        yield return Row.Of("double prepared, one flag", doubles, all =>
        {
            foreach (Flag<double> flag in all)
            {
                _ = flag.Value(_ada);
            }
        });
        string[] text = Selection.Text;
        Flag<string>[] texts = [.. text.Select(key => _client.StringFlag(key, ""))];
        yield return Row.Of("string by key, one flag", text, all =>
        {
            foreach (string key in all)
            {
                _ = _client.StringVariation(key, _ada, "");
            }
        });
        yield return Row.Of("string prepared, one flag", texts, all =>
        {
            foreach (Flag<string> flag in all)
            {
                _ = flag.Value(_ada);
            }
        });
        yield return Row.Of("string with reason, one flag", text, all =>
        {
            foreach (string key in all)
            {
                _ = _client.StringVariationDetail(key, _ada, "");
            }
        });
        yield return Row.Of("all flags as text, for 1,000 flags", Selection.Once, all =>
        {
            foreach (string _ in all)
            {
                _client.AllFlagsState(_ada).ToJson();
            }
        });
        yield return Row.Of("context from a key, given back", text, all =>
        {
            foreach (string key in all)
            {
                Context.New(Ada.Key).Dispose();
            }
        });
        yield return Row.Of("context of five attributes, given back", text, all =>
        {
            foreach (string key in all)
            {
                Ada.Context(Ada.Key).Dispose();
            }
        });
        yield return Row.Of("context from JSON, given back", text, all =>
        {
            foreach (string key in all)
            {
                Context.FromJson(Ada.Json).Dispose();
            }
        });
        foreach (Row row in Requests())
        {
            yield return row;
        }
    }

    /// <summary>Whole requests: a context is made, asks, and is given back.</summary>
    private IEnumerable<Row> Requests()
    {
        foreach (int count in Request.Counts)
        {
            (Ask Type, string Key)[] questions = Request.Of(count);
            yield return Row.Of($"request of {count}", s_once, all =>
            {
                foreach (int _ in all)
                {
                    using Context ada = Ada.Context(Ada.Key);
                    foreach ((Ask type, string key) in questions)
                    {
                        Ask(type, key, ada);
                    }
                }
            });
            object[] flags = [.. questions.Select(Prepared)];
            yield return Row.Of($"request of {count} prepared", s_once, all =>
            {
                foreach (int _ in all)
                {
                    using Context ada = Ada.Context(Ada.Key);
                    for (int index = 0; index < flags.Length; index++)
                    {
                        AskPrepared(questions[index].Type, flags[index], ada);
                    }
                }
            });
            yield return Row.Of($"request of {count} with reasons", s_once, all =>
            {
                foreach (int _ in all)
                {
                    using Context ada = Ada.Context(Ada.Key);
                    foreach ((Ask type, string key) in questions)
                    {
                        AskWhy(type, key, ada);
                    }
                }
            });
        }
    }

    private void Ask(Ask type, string key, Context context)
    {
        switch (type)
        {
            case Bench.Ask.Bool:
                _ = _client.BoolVariation(key, context);
                break;
            case Bench.Ask.Text:
                _ = _client.StringVariation(key, context, "");
                break;
            case Bench.Ask.Whole:
                _ = _client.IntVariation(key, context, 0);
                break;
            case Bench.Ask.Fraction:
                _ = _client.DoubleVariation(key, context, 0);
                break;
            default:
                _ = _client.JsonVariation(key, context, default);
                break;
        }
    }

    private void AskWhy(Ask type, string key, Context context)
    {
        switch (type)
        {
            case Bench.Ask.Bool:
                _ = _client.BoolVariationDetail(key, context);
                break;
            case Bench.Ask.Text:
                _ = _client.StringVariationDetail(key, context, "");
                break;
            case Bench.Ask.Whole:
                _ = _client.IntVariationDetail(key, context, 0);
                break;
            case Bench.Ask.Fraction:
                _ = _client.DoubleVariationDetail(key, context, 0);
                break;
            default:
                _ = _client.JsonVariationDetail(key, context, default);
                break;
        }
    }

    private object Prepared((Ask Type, string Key) question) => question.Type switch
    {
        Bench.Ask.Bool => _client.BoolFlag(question.Key),
        Bench.Ask.Text => _client.StringFlag(question.Key, ""),
        Bench.Ask.Whole => _client.IntFlag(question.Key, 0),
        Bench.Ask.Fraction => _client.DoubleFlag(question.Key, 0),
        _ => _client.JsonFlag(question.Key, default),
    };

    private static void AskPrepared(Ask type, object flag, Context context)
    {
        switch (type)
        {
            case Bench.Ask.Bool:
                _ = ((Flag<bool>)flag).Value(context);
                break;
            case Bench.Ask.Text:
                _ = ((Flag<string>)flag).Value(context);
                break;
            case Bench.Ask.Whole:
                _ = ((Flag<int>)flag).Value(context);
                break;
            case Bench.Ask.Fraction:
                _ = ((Flag<double>)flag).Value(context);
                break;
            default:
                _ = ((Flag<JsonElement>)flag).Value(context);
                break;
        }
    }

    private bool Ask(string key, Context context)
    {
        EvaluationDetail<bool> detail = _client.BoolVariationDetail(key, context);
        bool value = detail.Value;
        if (detail.Reason.ErrorKind is not null || _client.BoolVariation(key, context) != value
            || _client.BoolVariation(Encoding.UTF8.GetBytes(key), context) != value
            || _client.BoolFlag(key).Value(context) != value)
        {
            throw new InvalidOperationException($"{key}: {detail.Reason.Kind} {detail.Reason.ErrorKind}");
        }
        return value;
    }

    private static byte[][] Bytes(string[] keys) => [.. keys.Select(Encoding.UTF8.GetBytes)];
}
