// Evaluation from .NET, beside LaunchDarkly's .NET SDK on the same flags in the same process.
//
//     Flagstone.Bench.Beside REDIS_URL PREFIX EVENTS_URL
namespace Flagstone.Bench;

internal static class Program
{
    private static void Main(string[] arguments)
    {
        (string url, string prefix, string eventsUrl) = (arguments[0], arguments[1], arguments[2]);
        using (LaunchDarklySubject peer = new(url, prefix))
        {
            Benchmark.Run(url, prefix, peer);
        }
        EventBenchmark.Run(
            events => new FlagstoneTeller(url, prefix, eventsUrl, events),
            events => new LaunchDarklyTeller(url, prefix, eventsUrl, events));
        MeterBenchmark.Run(plugin => new FlagstoneTeller(url, prefix, eventsUrl, events: false, plugin));
    }
}
