// Evaluation from .NET, beside LaunchDarkly's .NET SDK on the same flags in the same process.
//
//     Flagstone.Bench.Beside REDIS_URL PREFIX
namespace Flagstone.Bench;

internal static class Program
{
    private static void Main(string[] arguments)
    {
        using LaunchDarklySubject peer = new(arguments[0], arguments[1]);
        Benchmark.Run(arguments[0], arguments[1], peer);
    }
}
