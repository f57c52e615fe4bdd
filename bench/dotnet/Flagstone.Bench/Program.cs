// Evaluation from .NET, without anything beside it.
//
//     Flagstone.Bench REDIS_URL PREFIX
namespace Flagstone.Bench;

internal static class Program
{
    private static void Main(string[] arguments) => Benchmark.Run(arguments[0], arguments[1], null);
}
