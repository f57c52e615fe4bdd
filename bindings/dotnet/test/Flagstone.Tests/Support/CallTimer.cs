// Tells how long a call took by itself: a test that demands "never longer than" must not fail because the machine was busy.
using System;
using System.Diagnostics;
using System.IO;
using System.Text;

namespace Flagstone.Tests.Support;

/// <summary>
/// Times calls of one thread. Time in which the thread was ready to run but got no processor, and pauses of the garbage collector,
/// do not count; time in which it waited for anything else does.
/// </summary>
internal sealed class CallTimer : IDisposable
{
    // Nanoseconds on a processor, nanoseconds ready but not on one, number of turns.
    private readonly FileStream _schedule = new("/proc/thread-self/schedstat", FileMode.Open, FileAccess.Read, FileShare.Read, 0);
    private readonly byte[] _buffer = new byte[128];

    /// <summary>Longest call so far.</summary>
    internal TimeSpan Longest { get; private set; }

    /// <summary>Makes a call and returns its result.</summary>
    internal T Time<T>(Func<T> call)
    {
        TimeSpan delayed = Delayed();
        long began = Stopwatch.GetTimestamp();
        T result = call();
        TimeSpan took = Stopwatch.GetElapsedTime(began) - (Delayed() - delayed);
        Longest = took > Longest ? took : Longest;
        return result;
    }

    /// <inheritdoc/>
    public void Dispose() => _schedule.Dispose();

    private TimeSpan Delayed()
    {
        int length = RandomAccess.Read(_schedule.SafeFileHandle, _buffer, 0);
        string[] numbers = Encoding.ASCII.GetString(_buffer, 0, length).Split(' ');
        return TimeSpan.FromTicks(long.Parse(numbers[1], System.Globalization.CultureInfo.InvariantCulture) / 100)
            + GC.GetTotalPauseDuration();
    }
}
