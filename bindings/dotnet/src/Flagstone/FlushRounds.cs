// Flushes that several wait for at the same time: one blocked thread does for all of them, however many ask.
using System;
using System.Threading;
using System.Threading.Tasks;

namespace Flagstone;

/// <summary>One flush at a time. Whoever asks while one is under way has a share in the next: that one knows what was queued before.</summary>
/// <param name="flush">Blocks until all is delivered; whether it was.</param>
internal sealed class FlushRounds(Func<bool> flush)
{
    private readonly object _gate = new();
    private TaskCompletionSource<bool>? _next;
    private bool _isRunning;

    /// <summary>What becomes of a flush that begins from here on.</summary>
    internal Task<bool> Join()
    {
        TaskCompletionSource<bool> round;
        lock (_gate)
        {
            // Whoever waits goes on on the thread of the round, which has nothing else to do then: those of the pool may all be busy.
            round = _next ??= new TaskCompletionSource<bool>();
            if (!_isRunning)
            {
                Begin();
            }
        }
        return round.Task;
    }

    /// <summary>Begins the next round, if anybody waits for it, on a thread of its own. Under the lock.</summary>
    private void Begin()
    {
        TaskCompletionSource<bool>? round = _next;
        _next = null;
        _isRunning = round is not null;
        if (round is not null)
        {
            _ = Task.Factory.StartNew(
                () => Run(round), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
    }

    private void Run(TaskCompletionSource<bool> round)
    {
        bool isDelivered = false;
        Exception? error = null;
#pragma warning disable CA1031 // it is for whoever waits
        try
        {
            isDelivered = flush();
        }
        catch (Exception thrown)
        {
            error = thrown;
        }
#pragma warning restore CA1031
        lock (_gate)
        {
            Begin();
        }
        if (error is null)
        {
            round.SetResult(isDelivered);
        }
        else
        {
            Waiting.Forget(round.Task);
            round.SetException(error);
        }
    }
}
