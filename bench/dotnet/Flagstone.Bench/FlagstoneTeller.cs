// Flagstone's client in daemon mode, with events or without.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;

namespace Flagstone.Bench;

internal sealed class FlagstoneTeller : ITeller
{
    private readonly FlagstoneClient _client;
    private readonly Context _ada = Ada.Context(Ada.Key);
    private int _strangers;

    /// <summary>Makes one.</summary>
    /// <param name="url">Redis.</param>
    /// <param name="prefix">The prefix there.</param>
    /// <param name="eventsUrl">Where events go.</param>
    /// <param name="events">Whether there are any; evaluations are counted in either case.</param>
    /// <param name="plugins">What else the client has.</param>
    internal FlagstoneTeller(string url, string prefix, string eventsUrl, bool events, params Plugin[] plugins)
    {
        _client = new FlagstoneClient(new FlagstoneOptions
        {
            RedisUrl = url,
            RedisPrefix = prefix,
            SdkKey = "sdk-key",
            EndpointsEvents = eventsUrl,
            EventsEnabled = events,
            EventsDiagnostics = false,
            MetricsEvaluations = plugins.Length > 0,
            Plugins = plugins,
        });
        if (!_client.StartAsync(TimeSpan.FromSeconds(10)).GetAwaiter().GetResult())
        {
            throw new TimeoutException("Redis does not answer");
        }
    }

    public void Dispose()
    {
        _client.Dispose();
        _ada.Dispose();
    }

    public IEnumerable<Row> Calls()
    {
        string[] one = Selection.All[1].Keys;
        Flag<bool>[] flags = [.. one.Select(key => _client.BoolFlag(key))];
        yield return Row.Of(Told.OneFlag, one, Ask);
        yield return Row.Of(Told.ManyFlags, Selection.All[0].Keys, Ask);
        yield return Row.Of(Told.Prepared, flags, all =>
        {
            foreach (Flag<bool> flag in all)
            {
                _ = flag.Value(_ada);
            }
        });
        yield return Row.Of(Told.Reason, one, all =>
        {
            foreach (string key in all)
            {
                _ = _client.BoolVariationDetail(key, _ada);
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
                using Context stranger = Ada.Context(_strangers++.ToString(CultureInfo.InvariantCulture));
                _ = _client.BoolVariation(key, stranger);
            }
        });
        yield return Row.Of(Told.Tracked, Selection.Tracked, Ask);
        yield return Row.Of(Told.Track, one, all =>
        {
            foreach (string key in all)
            {
                _client.Track(key, _ada, default, 1.5);
            }
        });
    }

    private void Ask(string[] keys)
    {
        foreach (string key in keys)
        {
            _ = _client.BoolVariation(key, _ada);
        }
    }
}
