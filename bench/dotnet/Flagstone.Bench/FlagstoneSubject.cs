// Flagstone's client.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;

namespace Flagstone.Bench;

internal sealed class FlagstoneSubject : ISubject
{
    private readonly FlagstoneClient _client;
    private readonly Context _ada = MakeContext();
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
                MakeContext().Dispose();
            }
        });
        yield return Row.Of("context from JSON, given back", text, all =>
        {
            foreach (string key in all)
            {
                Context.FromJson(Ada.Json).Dispose();
            }
        });
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

    private static Context MakeContext() => Context.Builder(Ada.Key)
        .Set("email", Ada.Email).Set("country", Ada.Country).Set("plan", Ada.Plan).Set("age", Ada.Age).Set("beta", Ada.Beta)
        .Build();
}
