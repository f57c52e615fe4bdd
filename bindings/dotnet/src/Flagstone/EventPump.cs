// One thread per started client that takes the library's notifications to the logger and to the handlers.
//
// Native threads never enter managed code. The thread holds a native reference of its own and only a weak one to the client, so
// that a client that is forgotten goes away, and the thread with it: the client's handle wakes it when it is given back.
using System;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using Flagstone.Interop;
using Microsoft.Extensions.Logging;

namespace Flagstone;

internal sealed class EventPump
{
    // Below the minute after which the library takes it that nobody listens; also bounds how long a missed wake goes unnoticed.
    private const uint PollMs = 30_000;

    private const int AfterDefectMs = 1000;

    private readonly IntPtr _native;
    private readonly WeakReference<FlagstoneClient> _client;
    private readonly ILogger _logger;
    private readonly NativeLog _lines;
    private readonly Thread _thread;
    private readonly TaskCompletionSource<bool> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly object _lock = new();
    private FlagstoneClient? _held;
    private int _holds;

    /// <summary>Starts the thread.</summary>
    /// <param name="native">The native client; the caller keeps it alive during this call.</param>
    /// <param name="client">Its owner.</param>
    /// <param name="logger">Gets what goes wrong.</param>
    /// <param name="lines">Gets log lines.</param>
    internal EventPump(IntPtr native, FlagstoneClient client, ILogger logger, NativeLog lines)
    {
        _native = NativeMethods.flagstone_client_retain(native);
        // Follows a client that a finalizer brings back.
        _client = new WeakReference<FlagstoneClient>(client, trackResurrection: true);
        _logger = logger;
        _lines = lines;
        _thread = new Thread(Run) { IsBackground = true, Name = "flagstone-events" };
        _thread.Start();
    }

    /// <summary>Ends when the last notification was delivered.</summary>
    internal Task Ended => _ended.Task;

    /// <summary>Waits for the thread to end, unless it is the calling one.</summary>
    internal void Join(TimeSpan timeout)
    {
        if (Thread.CurrentThread != _thread)
        {
            _thread.Join(timeout);
        }
    }

    /// <summary>Keeps the client alive until the result is disposed.</summary>
    internal Hold HoldClient(FlagstoneClient client)
    {
        lock (_lock)
        {
            _held = client;
            _holds++;
        }
        return new Hold(this);
    }

    private unsafe void Run()
    {
        NativeNotification notification = NativeNotification.New();
        int status;
        do
        {
            status = NativeMethods.flagstone_client_next_notification(_native, LookAfterCredentials(), &notification);
            if (status == NativeCodes.StatusOk)
            {
                Deliver(notification);
                NativeMethods.flagstone_notification_clear(&notification);
            }
            else if (status is not (NativeCodes.StatusTimeout or NativeCodes.StatusClosed))
            {
                // A defect of the library, which it has caught. The next notification may come through.
                Safely(status, static (pump, status) => Log.PollFailed(pump._logger, status));
                Thread.Sleep(AfterDefectMs);
            }
        }
        while (TellClient() && status != NativeCodes.StatusClosed);
        NativeMethods.flagstone_client_release(_native);
        _ended.TrySetResult(true);
    }

    /// <summary>The longest wait for the next notification: the client's credentials may have to be looked at before.</summary>
    // Not inlined: no reference to the client may stay on the stack of the loop.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private uint LookAfterCredentials()
    {
        TimeSpan? next = null;
        if (_client.TryGetTarget(out FlagstoneClient? client))
        {
            Safely(client, (_, client) => next = client.LookAfterCredentials());
        }
        return next is TimeSpan time ? (uint)Math.Min(PollMs, Math.Ceiling(time.TotalMilliseconds)) : PollMs;
    }

    // Not inlined, as above.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TellClient()
    {
        if (!_client.TryGetTarget(out FlagstoneClient? client))
        {
            return false;
        }
        Safely(client, static (_, client) => client.TellWaiting());
        return true;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Deliver(NativeNotification notification) =>
        Safely(notification, static (pump, notification) => pump.DeliverUnsafely(notification));

    private void DeliverUnsafely(NativeNotification notification)
    {
        if (notification.kind == NativeCodes.NotificationLog)
        {
            _lines.Write(ToLevel(notification.level_or_state), notification.text.ToString(), notification.extra.ToString());
            return;
        }
        if (!_client.TryGetTarget(out FlagstoneClient? client))
        {
            return;
        }
        switch (notification.kind)
        {
            case NativeCodes.NotificationStatus:
                using (JsonDocument condition = JsonDocument.Parse(notification.extra.ToString()))
                {
                    client.OnStatus(new StatusChangedEventArgs(
                        StatusForm.ToState(notification.level_or_state),
                        notification.text.ToString(),
                        StatusForm.Source(condition.RootElement),
                        StatusForm.Store(condition.RootElement)));
                }
                break;
            case NativeCodes.NotificationFlagChanged:
                using (JsonDocument versions = JsonDocument.Parse(notification.extra.ToString()))
                {
                    client.OnFlagChanged(
                        notification.text.ToString(),
                        Version(versions.RootElement, "old_version"),
                        Version(versions.RootElement, "new_version"));
                }
                break;
            case NativeCodes.NotificationBigSegments:
                client.OnBigSegmentStore(JsonValue.Parse(notification.extra.AsSpan()), notification.text.ToString());
                break;
            case NativeCodes.NotificationCredentials:
                client.OnCredentials(notification.text.ToString());
                break;
            case NativeCodes.NotificationValueChanged:
                client.OnValueChanged(JsonValue.Parse(notification.extra.AsSpan()));
                break;
            default:
                // A wake, or a kind that this version does not know.
                break;
        }
    }

    /// <summary>Nothing that goes wrong with one notification may end the thread.</summary>
    private void Safely<T>(T argument, Action<EventPump, T> action)
    {
#pragma warning disable CA1031 // see above
        try
        {
            action(this, argument);
        }
        catch (Exception error)
        {
            Log.NotDelivered(_logger, error);
        }
#pragma warning restore CA1031
    }

    private static long? Version(JsonElement versions, string name) =>
        versions.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number ? value.GetInt64() : null;

    private static LogLevel ToLevel(int level) => level switch
    {
        NativeCodes.LevelDebug => LogLevel.Debug,
        NativeCodes.LevelInfo => LogLevel.Information,
        NativeCodes.LevelWarn => LogLevel.Warning,
        _ => LogLevel.Error,
    };

    private void Release()
    {
        lock (_lock)
        {
            if (--_holds == 0)
            {
                _held = null;
            }
        }
    }

    /// <summary>See <see cref="HoldClient"/>.</summary>
    internal sealed class Hold(EventPump pump) : IDisposable
    {
        public void Dispose() => pump.Release();
    }
}
