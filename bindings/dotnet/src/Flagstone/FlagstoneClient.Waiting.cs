// Starting, and waiting for the client to be ready or in a state.
using System;
using System.Diagnostics;
using System.Threading;
using System.Threading.Tasks;
using Flagstone.Interop;

namespace Flagstone;

public sealed partial class FlagstoneClient
{
    /// <summary>How often those who wait look for themselves: a handler may keep the thread that tells them.</summary>
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(250);

    /// <summary>The longest single wait of <see cref="Start"/>.</summary>
    private static readonly TimeSpan s_longestWait = TimeSpan.FromHours(1);

    /// <summary>Ends with the next notification; replaced each time while somebody waits.</summary>
    private TaskCompletionSource<bool> _news = NewNews();
    private int _waiting;

    /// <summary>Starts the client and waits until it is ready.</summary>
    /// <param name="cancellationToken">Ends the wait; the client goes on trying.</param>
    /// <returns>
    /// True when the client is ready, however long that takes; false when it never will be: see
    /// <see cref="StartAsync(TimeSpan, CancellationToken)"/>. May be called again to wait again.
    /// </returns>
    /// <exception cref="OperationCanceledException">The wait was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The client is closed, or was closed meanwhile.</exception>
    public Task<bool> StartAsync(CancellationToken cancellationToken = default) =>
        StartAsync(Timeout.InfiniteTimeSpan, cancellationToken);

    /// <summary>
    /// Starts the client and waits until it is ready, for a limited time. Daemon mode: Redis has been read; otherwise: the data
    /// source has delivered.
    /// </summary>
    /// <param name="timeout">Longest wait; zero only starts; <see cref="Timeout.InfiniteTimeSpan"/> waits without limit.</param>
    /// <param name="cancellationToken">Ends the wait; the client goes on trying.</param>
    /// <returns>
    /// True when the client is ready. False when the time was over first: it goes on trying. False at once when the data source
    /// has failed for good, for example because the SDK key was refused: then <see cref="State"/> is
    /// <see cref="DataSourceState.Off"/>, and <see cref="DataSourceStatus"/> tells why. Meanwhile the last known flags answer, if
    /// Redis or the snapshot file has them.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException">The time is negative.</exception>
    /// <exception cref="OperationCanceledException">The wait was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The client is closed, or was closed meanwhile.</exception>
    public Task<bool> StartAsync(TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        CheckTimeout(timeout);
        if (cancellationToken.IsCancellationRequested)
        {
            return Task.FromCanceled<bool>(cancellationToken);
        }
        EventPump pump = StartPump();
        _ = Started(0);
        return WaitUntilAsync(pump, static (client, _) => client.Started(1), default, timeout, cancellationToken);
    }

    /// <summary>
    /// As <see cref="StartAsync(TimeSpan, CancellationToken)"/>, for callers that cannot await: blocks the calling thread, and
    /// needs no other thread of the pool to come back in time.
    /// </summary>
    /// <param name="timeout">As there.</param>
    /// <returns>As there.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The time is negative.</exception>
    /// <exception cref="ObjectDisposedException">The client is closed, or was closed meanwhile.</exception>
    public bool Start(TimeSpan timeout)
    {
        CheckTimeout(timeout);
        StartPump();
        Stopwatch watch = Stopwatch.StartNew();
        while (true)
        {
            TimeSpan rest = timeout == Timeout.InfiniteTimeSpan ? s_longestWait : timeout - watch.Elapsed;
            if (rest <= TimeSpan.Zero)
            {
                return Started(1) == true;
            }
            // Rounded up: a wait of no time only starts.
            if (Started((uint)Math.Ceiling((rest < s_longestWait ? rest : s_longestWait).TotalMilliseconds)) is bool known)
            {
                return known;
            }
        }
    }

    /// <summary>Waits until the client is in a state, for a limited time.</summary>
    /// <param name="state">The state.</param>
    /// <param name="timeout">Longest wait; <see cref="Timeout.InfiniteTimeSpan"/> waits without limit.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>
    /// False when the time was over first; at once when the state will never come, because the data source has failed for good.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException">
    /// The time is negative, or the state is none that a client can be in.
    /// </exception>
    /// <exception cref="OperationCanceledException">The wait was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">
    /// The client is closed, or was closed meanwhile, and another state than <see cref="DataSourceState.Off"/> was waited for.
    /// </exception>
    public Task<bool> WaitAsync(DataSourceState state, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        CheckTimeout(timeout);
        if (state is < DataSourceState.Initializing or > DataSourceState.Forked)
        {
            throw new ArgumentOutOfRangeException(nameof(state), state, "a client is never in this state");
        }
        return cancellationToken.IsCancellationRequested
            ? Task.FromCanceled<bool>(cancellationToken)
            : WaitUntilAsync(StartPump(), static (client, state) => client.HasReached(state), state, timeout, cancellationToken);
    }

    /// <summary>Makes those who wait look again. Called by the pump after every notification.</summary>
    internal void TellWaiting()
    {
        if (Volatile.Read(ref _waiting) != 0)
        {
            Interlocked.Exchange(ref _news, NewNews()).TrySetResult(true);
        }
    }

    private static void CheckTimeout(TimeSpan timeout)
    {
        if (timeout < TimeSpan.Zero && timeout != Timeout.InfiniteTimeSpan)
        {
            throw new ArgumentOutOfRangeException(nameof(timeout), timeout, "the time must not be negative");
        }
    }

    /// <summary>
    /// Starts the native client: true when it is ready, false when it never will be, null when not yet; without a time it says
    /// true for not yet.
    /// </summary>
    private unsafe bool? Started(uint timeoutMs)
    {
        IntPtr error = IntPtr.Zero;
        return Answer(NativeMethods.flagstone_client_start(_native, timeoutMs, &error), error);
    }

    /// <summary>True when the client is in the state, false when it never will be, null when not yet.</summary>
    private bool? HasReached(DataSourceState state) =>
        Answer(NativeMethods.flagstone_client_wait(_native, (int)state, 0), IntPtr.Zero);

    private bool? Answer(int status, IntPtr error)
    {
        GC.KeepAlive(this);
        if (status is NativeCodes.StatusTimeout or NativeCodes.StatusNotReady)
        {
            NativeResult.Discard(error);
            return status == NativeCodes.StatusNotReady ? false : null;
        }
        NativeResult.Check(status, error);
        return true;
    }

    /// <summary>Asks until there is an answer, or the time is over: false.</summary>
    private async Task<bool> WaitUntilAsync(
        EventPump pump,
        Func<FlagstoneClient, DataSourceState, bool?> ask,
        DataSourceState state,
        TimeSpan timeout,
        CancellationToken cancellationToken)
    {
        if (ask(this, state) is bool known)
        {
            return known;
        }
        Stopwatch watch = Stopwatch.StartNew();
        // Somebody waits, so the client is not forgotten, even if nothing else refers to it.
        using EventPump.Hold hold = pump.HoldClient(this);
        Interlocked.Increment(ref _waiting);
        try
        {
            while (true)
            {
                // Taken before asking, so that nothing falls between.
                Task news = Volatile.Read(ref _news).Task;
                if (ask(this, state) is bool answer)
                {
                    return answer;
                }
                TimeSpan rest = timeout == Timeout.InfiniteTimeSpan ? s_look : timeout - watch.Elapsed;
                if (rest <= TimeSpan.Zero)
                {
                    return false;
                }
                await Waiting.ForAsync(news, rest < s_look ? rest : s_look, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    private static TaskCompletionSource<bool> NewNews() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
