// The client: lifecycle, status and events. Evaluation is in FlagstoneClient.Evaluation.cs.
//
// Lifetime: Dispose closes the native client, which stays valid and goes on answering; its memory is given back by the finalizer
// of the handle. So a call may use the raw pointer as long as it keeps this object alive, without counting itself in.
using System;
using System.Threading;
using System.Threading.Tasks;
using Flagstone.Handles;
using Flagstone.Interop;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Flagstone;

/// <summary>
/// One environment's flags, read from Redis and kept true. One per environment and process is enough; every member may be used by
/// any number of threads at once.
/// </summary>
/// <remarks>
/// Evaluation never throws and, with the default options, reads memory alone: on any problem it gives the default, and the
/// <c>…Detail</c> calls tell why. After <see cref="Dispose"/> it answers from the last data held
/// (<see cref="CacheResidency.Off"/>: with the default); all other members throw <see cref="ObjectDisposedException"/>, except
/// where they say otherwise.
/// </remarks>
public sealed partial class FlagstoneClient : IDisposable, IAsyncDisposable
{
    private const uint CloseTimeoutMs = 2000;

    private static readonly TimeSpan s_flushPoll = TimeSpan.FromMilliseconds(10);

    // Never disposed: see the top of this file.
#pragma warning disable CA2213
    private readonly ClientHandle _handle;
#pragma warning restore CA2213
    private readonly IntPtr _native;
    private readonly ILogger _logger;
    private readonly object _lock = new();
    private readonly TaskCompletionSource<bool> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private EventPump? _pump;
    private volatile DataSourceStatus _lastChange;
    private volatile DataStoreStatus _lastStore = new(false, false, null, null);

    /// <summary>
    /// Makes a client. It does nothing before <see cref="StartAsync(CancellationToken)"/>; Redis need not be there.
    /// </summary>
    /// <param name="options">The options; copied.</param>
    /// <exception cref="ArgumentException">
    /// An option is unknown, a value does not fit it, options do not fit together, or a file they name cannot be read; the
    /// message names the option.
    /// </exception>
    /// <exception cref="FlagstoneLibraryException">The native library is missing or is another one.</exception>
    public FlagstoneClient(FlagstoneOptions options)
    {
        _ = options ?? throw new ArgumentNullException(nameof(options));
        _handle = Create(options);
        _native = _handle.DangerousGetHandle();
        _logger = options.LoggerFactory?.CreateLogger("Flagstone") ?? NullLogger.Instance;
        _lastChange = new DataSourceStatus(DataSourceState.Initializing, DateTimeOffset.UtcNow, null, null);
    }

    /// <summary>
    /// Raised after a flag, or something it depends on, changed. Handlers run one after the other on the client's own thread;
    /// what they throw is logged. Nothing is raised before <see cref="StartAsync(CancellationToken)"/>.
    /// </summary>
    public event EventHandler<FlagChangedEventArgs>? FlagChanged;

    /// <summary>Raised after the state changed; handlers run as those of <see cref="FlagChanged"/> do.</summary>
    public event EventHandler<StatusChangedEventArgs>? StatusChanged;

    /// <summary>Present state; <see cref="DataSourceState.Off"/> after close. Costs one atomic load.</summary>
    public DataSourceState State
    {
        get
        {
            int state = NativeMethods.flagstone_client_state(_native);
            GC.KeepAlive(this);
            return FlagstoneStatus.ToState(state);
        }
    }

    /// <summary>True once the data have been read; false after close.</summary>
    public bool IsReady => State == DataSourceState.Valid || (TryGetStatus(out FlagstoneStatus? status) && status.IsReady);

    /// <summary>Starts the client and waits until the data have been read.</summary>
    /// <param name="cancellationToken">Ends the wait; the client goes on trying.</param>
    /// <returns>
    /// True. The task ends when the client is ready, however long that takes. May be called again to wait again.
    /// </returns>
    /// <exception cref="OperationCanceledException">The wait was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The client is closed, or was closed meanwhile.</exception>
    public Task<bool> StartAsync(CancellationToken cancellationToken = default) =>
        StartAsync(Timeout.InfiniteTimeSpan, cancellationToken);

    /// <summary>Starts the client and waits until the data have been read, for a limited time.</summary>
    /// <param name="timeout">Longest wait; zero only starts; <see cref="Timeout.InfiniteTimeSpan"/> waits without limit.</param>
    /// <param name="cancellationToken">Ends the wait; the client goes on trying.</param>
    /// <returns>True when the client is ready, false when the time was over first: it goes on trying.</returns>
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
        StartNative();
        if (IsReady)
        {
            return Task.FromResult(true);
        }
        return timeout == TimeSpan.Zero ? Task.FromResult(false) : WaitUntilReadyAsync(pump, timeout, cancellationToken);
    }

    /// <summary>
    /// Waits until what is queued for delivery has been delivered. In daemon mode nothing is ever queued: the task is complete
    /// at once.
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
        return FlagstoneStatus.Parse(NativeResult.Take(ref text), _lastChange);
    }

    /// <summary>
    /// Closes the client: ends its threads and connections, waiting at most 2 s for them, and delivers the last events. May be
    /// called again, by any thread, also by a handler.
    /// </summary>
    public void Dispose()
    {
        EventPump? pump = Close();
        pump?.Join(TimeSpan.FromMilliseconds(CloseTimeoutMs));
        GC.SuppressFinalize(this);
    }

    /// <summary>As <see cref="Dispose"/>, without blocking the caller.</summary>
    /// <returns>A task that ends when the client is closed.</returns>
    public async ValueTask DisposeAsync()
    {
        // The native call blocks: it gets a thread of the pool.
        EventPump? pump = await Task.Run(Close).ConfigureAwait(false);
        if (pump is not null)
        {
            TimeSpan longest = TimeSpan.FromMilliseconds(CloseTimeoutMs);
            await Waiting.ForAsync(pump.Ended, longest, CancellationToken.None).ConfigureAwait(false);
        }
        GC.SuppressFinalize(this);
    }

    /// <summary>
    /// Tells the waiting tasks when the client is ready or closed. Called by the pump after every notification.
    /// </summary>
    internal void Recheck()
    {
        if (_ready.Task.IsCompleted)
        {
            return;
        }
        if (IsReady)
        {
            _ready.TrySetResult(true);
        }
        else if (State == DataSourceState.Off)
        {
            _ready.TrySetResult(false);
        }
    }

    internal void OnStatus(int code, long unixMs, string reason)
    {
        DataSourceState state = FlagstoneStatus.ToState(code);
        DateTimeOffset since = DateTimeOffset.FromUnixTimeMilliseconds(unixMs);
        _lastChange = new DataSourceStatus(state, since, reason, null);
        EventHandler<StatusChangedEventArgs>? handlers = StatusChanged;
        if (handlers is null)
        {
            return;
        }
        string? lastError = null;
        if (TryGetStatus(out FlagstoneStatus? status))
        {
            lastError = status.DataSource.LastError;
            _lastStore = status.Store;
        }
        Raise(handlers, new StatusChangedEventArgs(new DataSourceStatus(state, since, reason, lastError), _lastStore));
    }

    internal void OnFlagChanged(string key, long? oldVersion, long? newVersion)
    {
        EventHandler<FlagChangedEventArgs>? handlers = FlagChanged;
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

    private EventPump StartPump()
    {
        lock (_lock)
        {
            return _pump ??= new EventPump(_native, this, _logger);
        }
    }

    private unsafe void StartNative()
    {
        IntPtr error = IntPtr.Zero;
        int status = NativeMethods.flagstone_client_start(_native, 0, &error);
        GC.KeepAlive(this);
        NativeResult.Check(status, error);
    }

    private async Task<bool> WaitUntilReadyAsync(EventPump pump, TimeSpan timeout, CancellationToken cancellationToken)
    {
        // Somebody waits, so the client is not forgotten, even if nothing else refers to it.
        using EventPump.Hold hold = pump.HoldClient(this);
        bool ended = await Waiting.ForAsync(_ready.Task, timeout, cancellationToken).ConfigureAwait(false);
        if (ended && !await _ready.Task.ConfigureAwait(false))
        {
            throw new ObjectDisposedException(nameof(FlagstoneClient));
        }
        // The pump may be late: a handler may keep it.
        return ended || IsReady;
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
        System.Diagnostics.Stopwatch watch = System.Diagnostics.Stopwatch.StartNew();
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
        _ = NativeMethods.flagstone_client_close(_native, CloseTimeoutMs);
        GC.KeepAlive(this);
        lock (_lock)
        {
            return _pump;
        }
    }

    private bool TryGetStatus([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out FlagstoneStatus? status)
    {
        try
        {
            status = GetStatus();
            return true;
        }
        catch (ObjectDisposedException)
        {
            status = null;
            return false;
        }
    }

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
}
