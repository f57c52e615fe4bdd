// The client: lifecycle, status and events. Evaluation is in FlagstoneClient.Evaluation.cs, all flags in
// FlagstoneClient.AllFlags.cs.
//
// Lifetime: Dispose closes the native client, which stays valid and goes on answering; its memory is given back by the finalizer
// of the handle. So a call may use the raw pointer as long as it keeps this object alive, without counting itself in.
using System;
using System.Diagnostics;
using System.Threading;
using System.Threading.Tasks;
using Flagstone.Handles;
using Flagstone.Interop;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Flagstone;

/// <summary>
/// One environment's flags, held and kept true. One per environment and process is enough; every member may be used by any number
/// of threads at once.
/// </summary>
/// <remarks>
/// <para>
/// Without a source the flags are read from Redis, where somebody else keeps them (daemon mode); with
/// <see cref="FlagstoneOptions.SourceKind"/> they come from LaunchDarkly, a Relay Proxy, files or a test, and are kept in Redis
/// if one is named (connected mode).
/// </para>
/// <para>
/// Evaluation never throws and, with the default options, reads memory alone: on any problem it gives the default, and the
/// <c>…Detail</c> calls tell why. After <see cref="Dispose"/> it answers from the last data held
/// (<see cref="CacheResidency.Off"/>: with the default); all other members throw <see cref="ObjectDisposedException"/>, except
/// where they say otherwise.
/// </para>
/// </remarks>
public sealed partial class FlagstoneClient : IDisposable, IAsyncDisposable
{
    private static readonly TimeSpan s_closeTimeout = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan s_flushPoll = TimeSpan.FromMilliseconds(10);

    /// <summary>How often those who wait look for themselves: a handler may keep the thread that tells them.</summary>
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(250);

    // Never disposed: see the top of this file.
#pragma warning disable CA2213
    private readonly ClientHandle _handle;
#pragma warning restore CA2213
    private readonly IntPtr _native;
    private readonly ILogger _logger;
    private readonly object _lock = new();
    private EventHandler<FlagChangedEventArgs>? _flagChanged;
    private EventPump? _pump;

    /// <summary>Ends with the next notification; replaced each time while somebody waits.</summary>
    private TaskCompletionSource<bool> _news = NewNews();
    private int _waiting;

    /// <summary>
    /// Makes a client. It does nothing before <see cref="StartAsync(CancellationToken)"/>; Redis need not be there.
    /// </summary>
    /// <param name="options">The options; copied.</param>
    /// <exception cref="ArgumentException">
    /// An option is unknown, a value does not fit it, options do not fit together, or a file they name cannot be read; the
    /// message names the option.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The <see cref="FlagstoneOptions.TestData"/> are disposed.</exception>
    /// <exception cref="FlagstoneLibraryException">The native library is missing or is another one.</exception>
    public FlagstoneClient(FlagstoneOptions options)
    {
        _ = options ?? throw new ArgumentNullException(nameof(options));
        _handle = Create(options);
        _native = _handle.DangerousGetHandle();
        _logger = options.LoggerFactory?.CreateLogger("Flagstone") ?? NullLogger.Instance;
    }

    /// <summary>
    /// Raised after a flag, or something it depends on, changed. Handlers run one after the other on the client's own thread;
    /// what they throw is logged. Nothing is raised before <see cref="StartAsync(CancellationToken)"/>.
    /// </summary>
    public event EventHandler<FlagChangedEventArgs>? FlagChanged
    {
        add
        {
            lock (_lock)
            {
                _flagChanged += value;
                Subscribe();
            }
        }

        remove
        {
            lock (_lock)
            {
                _flagChanged -= value;
                Subscribe();
            }
        }
    }

    /// <summary>
    /// Raised after the condition of the data source or of the store changed; handlers run as those of <see cref="FlagChanged"/>
    /// do.
    /// </summary>
    public event EventHandler<StatusChangedEventArgs>? StatusChanged;

    /// <summary>
    /// Present state: of the data source; in daemon mode, of the store. <see cref="DataSourceState.Off"/> after close. Costs one
    /// atomic load.
    /// </summary>
    public DataSourceState State
    {
        get
        {
            int state = NativeMethods.flagstone_client_state(_native);
            GC.KeepAlive(this);
            return StatusForm.ToState(state);
        }
    }

    /// <summary>True once Redis has been read (daemon mode) or the data source has delivered; false after close.</summary>
    public bool IsReady
    {
        get
        {
            if (State == DataSourceState.Valid)
            {
                return true;
            }
            try
            {
                return GetStatus().IsReady;
            }
            catch (ObjectDisposedException)
            {
                return false;
            }
        }
    }

    /// <summary>Condition of the data source; null in daemon mode, which has no source but Redis.</summary>
    /// <exception cref="ObjectDisposedException">The client is closed.</exception>
    public DataSourceStatus? DataSourceStatus => Condition(static (in NativeClientStatus status) => StatusForm.Source(status));

    /// <summary>Condition of Redis, or of memory where that is all there is.</summary>
    /// <exception cref="ObjectDisposedException">The client is closed.</exception>
    public DataStoreStatus StoreStatus => Condition(static (in NativeClientStatus status) => StatusForm.Store(status));

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

    /// <summary>
    /// Waits until what is queued for delivery has been delivered. In daemon mode nothing is ever queued: the task is complete at
    /// once.
    /// </summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>A task that ends when everything was delivered.</returns>
    /// <exception cref="OperationCanceledException">The wait was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The client is closed.</exception>
    public Task FlushAsync(CancellationToken cancellationToken = default) =>
        FlushAsync(Timeout.InfiniteTimeSpan, cancellationToken);

    /// <summary>As <see cref="FlushAsync(CancellationToken)"/>, for a limited time.</summary>
    /// <param name="timeout">Longest wait; <see cref="Timeout.InfiniteTimeSpan"/> waits without limit.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False when the time was over first.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The time is negative.</exception>
    /// <exception cref="OperationCanceledException">The wait was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The client is closed.</exception>
    public Task<bool> FlushAsync(TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        CheckTimeout(timeout);
        return cancellationToken.IsCancellationRequested ? Task.FromCanceled<bool>(cancellationToken)
            : IsFlushed() ? Task.FromResult(true)
            : WaitUntilFlushedAsync(timeout, cancellationToken);
    }

    /// <summary>Condition of the client.</summary>
    /// <returns>The condition at this moment.</returns>
    /// <exception cref="ObjectDisposedException">The client is closed.</exception>
    public unsafe FlagstoneStatus GetStatus()
    {
        NativeBytes text = default;
        IntPtr error = IntPtr.Zero;
        int status = NativeMethods.flagstone_client_status_json(_native, &text, &error);
        GC.KeepAlive(this);
        NativeResult.Check(status, error);
        return FlagstoneStatus.Parse(NativeResult.Take(ref text));
    }

    /// <summary>
    /// Closes the client: ends its threads and connections, writes what Redis is still to get, and delivers the last events; all
    /// that for 2 s at most. May be called again, by any thread, also by a handler.
    /// </summary>
    public void Dispose()
    {
        Stopwatch watch = Stopwatch.StartNew();
        Close()?.Join(Rest(watch));
        GC.SuppressFinalize(this);
    }

    /// <summary>As <see cref="Dispose"/>, without blocking the caller.</summary>
    /// <returns>A task that ends when the client is closed.</returns>
    public async ValueTask DisposeAsync()
    {
        Stopwatch watch = Stopwatch.StartNew();
        // The native call blocks: it gets a thread of its own, as those of the pool may all be busy.
        EventPump? pump = await Task.Factory
            .StartNew(Close, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)
            .ConfigureAwait(false);
        if (pump is not null)
        {
            await Waiting.ForAsync(pump.Ended, Rest(watch), CancellationToken.None).ConfigureAwait(false);
        }
        GC.SuppressFinalize(this);
    }

    /// <summary>Makes those who wait look again. Called by the pump after every notification.</summary>
    internal void TellWaiting()
    {
        if (Volatile.Read(ref _waiting) != 0)
        {
            Interlocked.Exchange(ref _news, NewNews()).TrySetResult(true);
        }
    }

    internal void OnStatus(StatusChangedEventArgs change)
    {
        EventHandler<StatusChangedEventArgs>? handlers = StatusChanged;
        if (handlers is not null)
        {
            Raise(handlers, change);
        }
    }

    internal void OnFlagChanged(string key, long? oldVersion, long? newVersion)
    {
        EventHandler<FlagChangedEventArgs>? handlers = _flagChanged;
        if (handlers is not null)
        {
            Raise(handlers, new FlagChangedEventArgs(key, oldVersion, newVersion));
        }
    }

    private static unsafe ClientHandle Create(FlagstoneOptions options)
    {
        using ConfigHandle config = OptionTable.ToConfig(options);
        IntPtr made = IntPtr.Zero;
        IntPtr error = IntPtr.Zero;
        int status = NativeMethods.flagstone_client_new(config.DangerousGetHandle(), &made, &error);
        NativeResult.Check(status, error, nameof(options));
        return new ClientHandle(made);
    }

    private static void CheckTimeout(TimeSpan timeout)
    {
        if (timeout < TimeSpan.Zero && timeout != Timeout.InfiniteTimeSpan)
        {
            throw new ArgumentOutOfRangeException(nameof(timeout), timeout, "the time must not be negative");
        }
    }

    /// <summary>Who listens to changes of flags hears of all of them at once. After close there is nothing to hear.</summary>
    private unsafe void Subscribe()
    {
        _ = NativeMethods.flagstone_client_subscribe(_native, _flagChanged is null ? 0 : NativeCodes.SubscribeFlagChanges, null);
        GC.KeepAlive(this);
    }

    private EventPump StartPump()
    {
        lock (_lock)
        {
            return _pump ??= new EventPump(_native, this, _logger);
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

    private unsafe T Condition<T>(ConditionReader<T> read)
    {
        NativeClientStatus status = NativeClientStatus.New();
        IntPtr error = IntPtr.Zero;
        int code = NativeMethods.flagstone_client_status(_native, &status, &error);
        GC.KeepAlive(this);
        NativeResult.Check(code, error);
        try
        {
            return read(status);
        }
        finally
        {
            NativeMethods.flagstone_client_status_info_clear(&status);
        }
    }

    private unsafe bool IsFlushed()
    {
        IntPtr error = IntPtr.Zero;
        int status = NativeMethods.flagstone_client_flush(_native, 0, &error);
        GC.KeepAlive(this);
        if (status == NativeCodes.StatusTimeout)
        {
            NativeResult.Discard(error);
            return false;
        }
        NativeResult.Check(status, error);
        return true;
    }

    private async Task<bool> WaitUntilFlushedAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        Stopwatch watch = Stopwatch.StartNew();
        while (timeout == Timeout.InfiniteTimeSpan || watch.Elapsed < timeout)
        {
            await Task.Delay(s_flushPoll, cancellationToken).ConfigureAwait(false);
            if (IsFlushed())
            {
                return true;
            }
        }
        return false;
    }

    private EventPump? Close()
    {
        _ = NativeMethods.flagstone_client_close(_native, (uint)s_closeTimeout.TotalMilliseconds);
        GC.KeepAlive(this);
        lock (_lock)
        {
            return _pump;
        }
    }

    /// <summary>What is left of the time for closing.</summary>
    private static TimeSpan Rest(Stopwatch watch)
    {
        TimeSpan rest = s_closeTimeout - watch.Elapsed;
        return rest > TimeSpan.Zero ? rest : TimeSpan.Zero;
    }

    private static TaskCompletionSource<bool> NewNews() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void Raise<T>(EventHandler<T> handlers, T arguments)
    {
        foreach (Delegate handler in handlers.GetInvocationList())
        {
#pragma warning disable CA1031 // a handler that throws must not keep the others from hearing
            try
            {
                ((EventHandler<T>)handler)(this, arguments);
            }
            catch (Exception error)
            {
                Log.HandlerThrew(_logger, error);
            }
#pragma warning restore CA1031
        }
    }

    private delegate T ConditionReader<T>(in NativeClientStatus status);
}
