// LaunchDarkly's client in daemon mode, with events or without.
using System;
using System.Collections.Generic;
using System.Globalization;
using LaunchDarkly.Sdk.Server;
using Peer = LaunchDarkly.Sdk;
using Redis = LaunchDarkly.Sdk.Server.Integrations.Redis;

namespace Flagstone.Bench;

internal sealed class LaunchDarklyTeller(string url, string prefix, string eventsUrl, bool events) : ITeller
{
    private readonly LdClient _client = new(Configuration.Builder("sdk-key")
        .DataSource(Components.ExternalUpdatesOnly)
        .DataStore(Components
            .PersistentDataStore(Redis.DataStore().Uri(new Uri(url)).Prefix(prefix)).CacheTime(TimeSpan.FromHours(1)))
        .ServiceEndpoints(Components.ServiceEndpoints().Events(new Uri(eventsUrl)))
        .Events(events ? Components.SendEvents() : Components.NoEvents)
        .DiagnosticOptOut(true)
        .Logging(Components.NoLogging)
        .Build());

    private readonly Peer.Context _ada = LaunchDarklySubject.MakeContext(Ada.Key);
    private int _strangers;

    public void Dispose() => _client.Dispose();

    public IEnumerable<Row> Calls()
    {
        string[] one = Selection.All[1].Keys;
        yield return Row.Of(Told.OneFlag, one, Ask);
        yield return Row.Of(Told.ManyFlags, Selection.All[0].Keys, Ask);
        // It knows no prepared flags.
        yield return Row.Of(Told.Prepared, one, Ask);
        yield return Row.Of(Told.Reason, one, all =>
        {
            foreach (string key in all)
            {
                _ = _client.BoolVariationDetail(key, _ada, false);
            }
        });
        yield return Row.Of(Told.Text, Selection.Text, all =>
        {
            foreach (string key in all)
            {
                _ = _client.StringVariation(key, _ada, "the default");
            }
        });
        yield return Row.Of(Told.Strangers, one, all =>
        {
            foreach (string key in all)
            {
                _ = _client.BoolVariation(
                    key, LaunchDarklySubject.MakeContext(_strangers++.ToString(CultureInfo.InvariantCulture)), false);
            }
        });
        yield return Row.Of(Told.Tracked, Selection.Tracked, Ask);
        yield return Row.Of(Told.Track, one, all =>
        {
            foreach (string key in all)
            {
                _client.Track(key, _ada, Peer.LdValue.Null, 1.5);
            }
        });
    }

    private void Ask(string[] keys)
    {
        foreach (string key in keys)
        {
            _ = _client.BoolVariation(key, _ada, false);
        }
    }
}
