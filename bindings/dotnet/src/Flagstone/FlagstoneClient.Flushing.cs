// Sending the events that wait, before their time.
using System;
using System.Threading;
using System.Threading.Tasks;
using Flagstone.Interop;

namespace Flagstone;

public sealed partial class FlagstoneClient
{
    /// <summary>The shortest wait that begins a flush of its own.</summary>
    private const uint BeginFlush = 1;

    /// <summary>
    /// Sends the events that are queued soon, instead of after <see cref="FlagstoneOptions.EventsFlushInterval"/>. Waits for
    /// them a millisecond at most, and never throws: nothing happens without events and after <see cref="Dispose"/>.
    /// </summary>
    public void Flush()
    {
        if (_hasEvents)
        {
            _ = FlushFor(BeginFlush, out IntPtr error);
            NativeResult.Discard(error);
        }
    }

    /// <summary>
    /// Sends the events that are queued and waits until they are delivered, blocking the calling thread for a limited time.
    /// </summary>
    /// <param name="timeout">Longest wait; <see cref="Timeout.InfiniteTimeSpan"/> waits without limit.</param>
    /// <returns>
    /// True when all was delivered, or there was nothing to deliver. False when the time was over first, and when something could
    /// not be delivered: it is lost, or kept in <see cref="FlagstoneOptions.EventsSpool"/>; <see cref="FlagstoneStatus.Events"/>
    /// and the log tell. Nothing is sent before the client is started.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException">The time is negative.</exception>
    /// <exception cref="ObjectDisposedException">The client is closed.</exception>
    public bool FlushAndWait(TimeSpan timeout)
    {
        CheckTimeout(timeout);
        return IsFlushed(timeout);
    }

    /// <summary>As <see cref="FlushAndWait"/>, without blocking the caller.</summary>
    /// <inheritdoc cref="FlushAndWait"/>
    public Task<bool> FlushAndWaitAsync(TimeSpan timeout) => FlushAsync(timeout);

    /// <summary>Sends the events that are queued and waits until they are delivered, however long that takes.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>As of <see cref="FlushAndWait"/>.</returns>
    /// <exception cref="OperationCanceledException">The wait was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The client is closed.</exception>
    public Task<bool> FlushAsync(CancellationToken cancellationToken = default) =>
        FlushAsync(Timeout.InfiniteTimeSpan, cancellationToken);

    /// <summary>As <see cref="FlushAsync(CancellationToken)"/>, for a limited time.</summary>
    /// <param name="timeout">Longest wait; <see cref="Timeout.InfiniteTimeSpan"/> waits without limit.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>As of <see cref="FlushAndWait"/>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The time is negative.</exception>
    /// <exception cref="OperationCanceledException">The wait was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The client is closed.</exception>
    public Task<bool> FlushAsync(TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        CheckTimeout(timeout);
        return cancellationToken.IsCancellationRequested ? Task.FromCanceled<bool>(cancellationToken)
            : _hasEvents ? FlushInRoundAsync(timeout, cancellationToken)
            : NothingToFlush();
    }

    private async Task<bool> FlushInRoundAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        // What is sent is given up after some time, so a round ends, and with it the thread, also when nobody waits any more.
        Task<bool> flushed = _flushes.Join();
        bool isOver = await Waiting.ForAsync(flushed, timeout, cancellationToken).ConfigureAwait(false);
        return isOver && await flushed.ConfigureAwait(false);
    }

    private Task<bool> NothingToFlush()
    {
        try
        {
            return Task.FromResult(IsFlushed(TimeSpan.Zero));
        }
        catch (ObjectDisposedException error)
        {
            return Task.FromException<bool>(error);
        }
    }

    private bool IsFlushed(TimeSpan timeout)
    {
        double wanted = timeout == Timeout.InfiniteTimeSpan ? uint.MaxValue : Math.Ceiling(timeout.TotalMilliseconds);
        int status = FlushFor((uint)Math.Max(BeginFlush, Math.Min(uint.MaxValue, wanted)), out IntPtr error);
        if (status is NativeCodes.StatusTimeout or NativeCodes.StatusStore)
        {
            NativeResult.Discard(error);
            return false;
        }
        NativeResult.Check(status, error);
        return true;
    }

    private unsafe int FlushFor(uint milliseconds, out IntPtr error)
    {
        IntPtr made = IntPtr.Zero;
        int status = NativeMethods.flagstone_client_flush(_native, milliseconds, &made);
        GC.KeepAlive(this);
        error = made;
        return status;
    }
}
