// The client: lifecycle, status and events. Waiting, evaluation and all flags are in files of their own.
//
// Lifetime: Dispose closes the native client, which stays valid and goes on answering; the handle gives its memory back when this
// object is gone for good. So a call may use the raw pointer as long as it keeps this object alive, without counting itself in.
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
/// Evaluation never throws and, with the default options, reads memory alone, except for members of big segments that it does not
/// remember: on any problem it gives the default, and the <c>…Detail</c> calls tell why. After <see cref="Dispose"/> it answers
/// from the last data held (<see cref="CacheResidency.Off"/>: with the default); all other members throw
/// <see cref="ObjectDisposedException"/>, except where they say otherwise.
/// </para>
/// </remarks>
public sealed partial class FlagstoneClient : IFlagstoneClient
{
    private static readonly TimeSpan s_closeTimeout = TimeSpan.FromSeconds(2);

    // Never disposed: see the top of this file.
#pragma warning disable CA2213
    private readonly ClientHandle _handle;
#pragma warning restore CA2213
    private readonly IntPtr _native;
    private readonly ILogger _logger;
    private readonly NativeLog _lines;

    /// <summary>Whether anybody is told of evaluations: only then their defaults are written down.</summary>
    private readonly bool _hasEvents;
    private readonly FlushRounds _flushes;
    private readonly object _lock = new();
    private EventHandler<FlagChangedEventArgs>? _flagChanged;
    private EventPump? _pump;

    /// <summary>
    /// Makes a client. It does nothing before <see cref="StartAsync(CancellationToken)"/>; Redis need not be there.
    /// </summary>
    /// <param name="options">The options; copied.</param>
    /// <exception cref="ArgumentException">
    /// An option is unknown, a value does not fit it, options do not fit together, or a file they name cannot be read; the
    /// message names the property, or the option if it was set by <see cref="FlagstoneOptions.Set"/>.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The <see cref="FlagstoneOptions.TestData"/> are disposed.</exception>
    /// <exception cref="FlagstoneLibraryException">The native library is missing or is another one.</exception>
    public FlagstoneClient(FlagstoneOptions options)
    {
        _ = options ?? throw new ArgumentNullException(nameof(options));
        _logger = options.LoggerFactory is ILoggerFactory factory ? new SafeLogger(factory.CreateLogger("Flagstone")) : NullLogger.Instance;
        _lines = new NativeLog(options.LoggerFactory, _logger);
        _bigSegments = OptionTable.BigSegmentStoreOf(options, _logger);
        _bigSegmentsPollInterval = OptionTable.BigSegmentsPollIntervalOf(options);
        _native = Create(options, _bigSegments);
        _credentials = KeeperOf(options);
        _handle = new ClientHandle(this, _native);
        _hasEvents = GetStatus().Events is not null;
        _flushes = new FlushRounds(() => IsFlushed(Timeout.InfiniteTimeSpan));
        PluginList plugins = new(options, _logger);
        _hooks = HookRunner.Of(plugins.Hooks(), _logger);
        // Last: a plugin gets a client that is whole.
        plugins.Register(this);
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
    /// Closes the client: ends its threads and connections, writes what Redis is still to get, and sends the events that are
    /// queued; all that for 2 s at most. Then it disposes of its hooks, which run no more. May be called again, by any thread,
    /// also by a handler.
    /// </summary>
    public void Dispose()
    {
        Stopwatch watch = Stopwatch.StartNew();
        Close()?.Join(Rest(watch));
        End();
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
        End();
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

    /// <summary>See <see cref="FlagstoneOptions.Validate"/>.</summary>
    internal static void Check(FlagstoneOptions options) =>
        NativeMethods.flagstone_client_release(Create(options, bigSegments: null));

    private static unsafe IntPtr Create(FlagstoneOptions options, BigSegmentBridge? bigSegments)
    {
        using ConfigHandle config = OptionTable.ToConfig(options);
        if (bigSegments is not null)
        {
            NativeBigSegments.Give(bigSegments, config);
        }
        IntPtr made = IntPtr.Zero;
        IntPtr error = IntPtr.Zero;
        int status = NativeMethods.flagstone_client_new(config.DangerousGetHandle(), &made, &error);
        NativeResult.Check(status, error, nameof(options), message => OptionChecks.Translated(message, options));
        return made;
    }

    /// <summary>Who listens to changes of flags hears of all of them at once. After close there is nothing to hear.</summary>
    private unsafe void Subscribe()
    {
        _ = NativeMethods.flagstone_client_subscribe(_native, _flagChanged is null ? 0 : NativeCodes.SubscribeFlagChanges, null);
        GC.KeepAlive(this);
    }

    private EventPump StartPump()
    {
        // What surrounds whoever starts the client, for example a request, is not kept, and nothing of the client runs in it.
        using (ExecutionContext.IsFlowSuppressed() ? default(AsyncFlowControl?) : ExecutionContext.SuppressFlow())
        {
            lock (_lock)
            {
                StartBigSegmentsTimer();
                return _pump ??= new EventPump(_native, this, _logger, _lines);
            }
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

    /// <summary>Nothing more comes.</summary>
    private void End()
    {
        _bigSegmentsTimer?.Dispose();
        _bigSegments?.End();
        EndListeners();
        _hooks?.End();
    }

    private EventPump? Close()
    {
        _beforeClose?.Invoke();
        _credentials?.End();
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

    private void Raise<T>(EventHandler<T> handlers, T arguments)
    {
        foreach (Delegate handler in handlers.GetInvocationList())
        {
            Safely(() => ((EventHandler<T>)handler)(this, arguments));
        }
    }

    private void Safely(Action handler)
    {
#pragma warning disable CA1031 // a handler that throws must not keep the others from hearing
        try
        {
            handler();
        }
        catch (Exception error)
        {
            Log.HandlerThrew(_logger, error);
        }
#pragma warning restore CA1031
    }

    private delegate T ConditionReader<T>(in NativeClientStatus status);
}
