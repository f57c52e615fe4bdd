// Waits for what other threads do.
using System;
using System.Diagnostics;
using System.Threading.Tasks;

namespace Flagstone.Tests.Support;

internal static class Eventually
{
    /// <summary>Waits until a condition holds; false when it did not in a time that no busy machine uses up.</summary>
    internal static async Task<bool> IsTrueAsync(Func<bool> condition, double seconds = 30)
    {
        Stopwatch watch = Stopwatch.StartNew();
        while (!condition())
        {
            if (watch.Elapsed.TotalSeconds > seconds)
            {
                return false;
            }
            await Task.Delay(10);
        }
        return true;
    }
}
