// LaunchDarkly's client as it reads flags from Redis: daemon mode, its Redis store, cached for longer than the run, no events.
using System;
using System.Collections.Generic;
using LaunchDarkly.Sdk.Json;
using LaunchDarkly.Sdk.Server;
using Peer = LaunchDarkly.Sdk;
using Redis = LaunchDarkly.Sdk.Server.Integrations.Redis;

namespace Flagstone.Bench;

internal sealed class LaunchDarklySubject(string url, string prefix) : ISubject
{
    private static readonly int[] s_once = [0, 1, 2, 3, 4];

    private readonly LdClient _client = new(Configuration.Builder("sdk-key")
        .DataSource(Components.ExternalUpdatesOnly)
        .DataStore(Components
            .PersistentDataStore(Redis.DataStore().Uri(new Uri(url)).Prefix(prefix)).CacheTime(TimeSpan.FromHours(1)))
        .Events(Components.NoEvents)
        .Logging(Components.NoLogging)
        .Build());

    private readonly Peer.Context _ada = MakeContext(Ada.Key);

    public string Description =>
        $"LaunchDarkly.ServerSdk {Version(typeof(LdClient))}, LaunchDarkly.ServerSdk.Redis {Version(typeof(Redis))} "
        + "(daemon mode, cached for an hour, no events)";

    public void Dispose() => _client.Dispose();

    public (bool Ada, bool Stranger) Ask(string key) => (Ask(key, _ada), Ask(key, Peer.Context.New(Ada.Stranger)));

    public IEnumerable<Row> Rows()
    {
        foreach (Selection selection in Selection.All)
        {
            yield return Row.Of($"bool by key, {selection.Extent}", selection.Keys, all =>
            {
                foreach (string key in all)
                {
                    _ = _client.BoolVariation(key, _ada, false);
                }
            });
            yield return Row.Of($"bool with reason, {selection.Extent}", selection.Keys, all =>
            {
                foreach (string key in all)
                {
                    _ = _client.BoolVariationDetail(key, _ada, false);
                }
            });
        }
        yield return Row.Of("int by key, one flag", Selection.Number, all =>
        {
            foreach (string key in all)
            {
                _ = _client.IntVariation(key, _ada, 0);
            }
        });
        yield return Row.Of("double by key, one flag", Selection.Number, all =>
        {
            foreach (string key in all)
            {
                _ = _client.DoubleVariation(key, _ada, 0);
            }
        });
        yield return Row.Of("string by key, one flag", Selection.Text, all =>
        {
            foreach (string key in all)
            {
                _ = _client.StringVariation(key, _ada, "");
            }
        });
        yield return Row.Of("string with reason, one flag", Selection.Text, all =>
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
                LdJsonSerialization.SerializeObject(_client.AllFlagsState(_ada));
            }
        });
        yield return Row.Of("context from a key, given back", Selection.Text, all =>
        {
            foreach (string key in all)
            {
                _ = Peer.Context.New(Ada.Key);
            }
        });
        yield return Row.Of("context of five attributes, given back", Selection.Text, all =>
        {
            foreach (string key in all)
            {
                _ = MakeContext(Ada.Key);
            }
        });
        yield return Row.Of("context from JSON, given back", Selection.Text, all =>
        {
            foreach (string key in all)
            {
                _ = LdJsonSerialization.DeserializeObject<Peer.Context>(Ada.Json);
            }
        });
        foreach (Row row in Requests())
        {
            yield return row;
        }
    }

    private IEnumerable<Row> Requests()
    {
        foreach (int count in Request.Counts)
        {
            (Ask Type, string Key)[] questions = Request.Of(count);
            yield return Row.Of($"request of {count}", s_once, all =>
            {
                foreach (int _ in all)
                {
                    Peer.Context ada = MakeContext(Ada.Key);
                    foreach ((Ask type, string key) in questions)
                    {
                        Ask(type, key, ada);
                    }
                }
            });
            yield return Row.Of($"request of {count} with reasons", s_once, all =>
            {
                foreach (int _ in all)
                {
                    Peer.Context ada = MakeContext(Ada.Key);
                    foreach ((Ask type, string key) in questions)
                    {
                        AskWhy(type, key, ada);
                    }
                }
            });
        }
    }

    private void Ask(Ask type, string key, Peer.Context context)
    {
        switch (type)
        {
            case Bench.Ask.Bool:
                _ = _client.BoolVariation(key, context, false);
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
                _ = _client.JsonVariation(key, context, Peer.LdValue.Null);
                break;
        }
    }

    private void AskWhy(Ask type, string key, Peer.Context context)
    {
        switch (type)
        {
            case Bench.Ask.Bool:
                _ = _client.BoolVariationDetail(key, context, false);
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
                _ = _client.JsonVariationDetail(key, context, Peer.LdValue.Null);
                break;
        }
    }

    private static string Version(Type type) => type.Assembly.GetName().Version!.ToString(3);

    private bool Ask(string key, Peer.Context context)
    {
        Peer.EvaluationDetail<bool> detail = _client.BoolVariationDetail(key, context, false);
        return detail.Reason.ErrorKind is null ? detail.Value : throw new InvalidOperationException($"{key}: {detail.Reason}");
    }

    internal static Peer.Context MakeContext(string key) => Peer.Context.Builder(key)
        .Set("email", Ada.Email).Set("country", Ada.Country).Set("plan", Ada.Plan).Set("age", Ada.Age).Set("beta", Ada.Beta)
        .Build();
}
