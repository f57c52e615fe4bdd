// Waiting for a task with a limit, alike on both targets.
using System;
using System.Threading;
using System.Threading.Tasks;

namespace Flagstone;

internal static class Waiting
{
    /// <summary>Longest delay that the timers of every runtime take; longer ones are as good as none.</summary>
    private static readonly TimeSpan s_longest = TimeSpan.FromMilliseconds(int.MaxValue);

    /// <summary>Tells a task that nobody waits for it any longer.</summary>
    internal static void GiveUp(Task task, CancellationTokenSource stop)
    {
        Forget(task);
        Cancel(stop);
    }

    /// <summary>Cancels, but not here: what is registered with the token may block, or throw.</summary>
    internal static void Cancel(CancellationTokenSource stop) => Forget(Task.Run(stop.Cancel, CancellationToken.None));

    /// <summary>What a task throws is nobody's business, so that the host does not hear of it as unobserved.</summary>
    internal static void Forget(Task task) => task.ContinueWith(
        static ended => _ = ended.Exception,
        CancellationToken.None,
        TaskContinuationOptions.ExecuteSynchronously,
        TaskScheduler.Default);

    /// <summary>True when the task ended, false when the time was over first.</summary>
    internal static async Task<bool> ForAsync(Task task, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task delay = Task.Delay(timeout > s_longest ? Timeout.InfiniteTimeSpan : timeout, stop.Token);
        Task first = await Task.WhenAny(task, delay).ConfigureAwait(false);
        if (first == task)
        {
#pragma warning disable CA1849 // nothing awaits the cancellation: it only ends the timer
            stop.Cancel();
#pragma warning restore CA1849
            return true;
        }
        cancellationToken.ThrowIfCancellationRequested();
        return false;
    }
}
