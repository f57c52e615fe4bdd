// Evaluation from .NET, without anything beside it.
//
//     Flagstone.Bench REDIS_URL PREFIX EVENTS_URL
namespace Flagstone.Bench;

internal static class Program
{
    private static void Main(string[] arguments)
    {
        Benchmark.Run(arguments[0], arguments[1], null);
        EventBenchmark.Run(events => new FlagstoneTeller(arguments[0], arguments[1], arguments[2], events), null);
        MeterBenchmark.Run(plugin => new FlagstoneTeller(arguments[0], arguments[1], arguments[2], events: false, plugin));
    }
}
