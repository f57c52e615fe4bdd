// The big-segment store: how it stands, and looking after one of the host's own.
using System;
using System.Text.Json;
using System.Threading;
using Flagstone.Interop;

namespace Flagstone;

public sealed partial class FlagstoneClient
{
    /// <summary>Null without a store of the host's own.</summary>
    private readonly BigSegmentBridge? _bigSegments;

    /// <summary>How often that one is asked how old it is.</summary>
    private readonly TimeSpan _bigSegmentsPollInterval;

    private Timer? _bigSegmentsTimer;
    private int _pollsBigSegments;

    /// <summary>
    /// Raised after <see cref="BigSegmentStoreStatus.Available"/> or <see cref="BigSegmentStoreStatus.IsStale"/> of the
    /// big-segment store changed; handlers run as those of <see cref="FlagChanged"/> do.
    /// </summary>
    public event EventHandler<BigSegmentStoreStatusChangedEventArgs>? BigSegmentStoreStatusChanged;

    /// <summary>
    /// How the big-segment store stands. One that was never asked is asked first, which takes at most
    /// <see cref="FlagstoneOptions.RedisCommandTimeoutMs"/>.
    /// </summary>
    /// <returns>Its status; without a store nothing is available, and nothing stale.</returns>
    /// <exception cref="ObjectDisposedException">The client is closed.</exception>
    public unsafe BigSegmentStoreStatus GetBigSegmentStoreStatus()
    {
        NativeBigSegmentStatus status = NativeBigSegmentStatus.New();
        IntPtr error = IntPtr.Zero;
        int code = NativeMethods.flagstone_big_segments_status(_native, &status, &error);
        GC.KeepAlive(this);
        NativeResult.Check(code, error);
        return new BigSegmentStoreStatus(
            status.available != 0,
            status.stale != 0,
            status.last_sync_ms == 0 ? null : DateTimeOffset.FromUnixTimeMilliseconds(status.last_sync_ms));
    }

    internal void OnBigSegmentStore(JsonElement status, string reason)
    {
        EventHandler<BigSegmentStoreStatusChangedEventArgs>? handlers = BigSegmentStoreStatusChanged;
        if (handlers is not null)
        {
            Raise(handlers, new BigSegmentStoreStatusChangedEventArgs(StatusForm.BigSegmentStore(status), reason));
        }
    }

    /// <summary>Begins to ask the host's store how old it is. The timer does not keep this object.</summary>
    private void StartBigSegmentsTimer()
    {
        if (_bigSegments is not null)
        {
            _bigSegmentsTimer ??= new Timer(
                static client =>
                {
                    if (((WeakReference<FlagstoneClient>)client!).TryGetTarget(out FlagstoneClient? target))
                    {
                        target.PollBigSegments();
                    }
                },
                new WeakReference<FlagstoneClient>(this),
                _bigSegmentsPollInterval,
                _bigSegmentsPollInterval);
        }
    }

    private unsafe void PollBigSegments()
    {
        // A store that is slower than the interval is not asked twice at once.
        if (Interlocked.Exchange(ref _pollsBigSegments, 1) == 0)
        {
            NativeBigSegmentStatus status = NativeBigSegmentStatus.New();
            int code = NativeMethods.flagstone_big_segments_poll(_native, &status, null);
            GC.KeepAlive(this);
            if (code == NativeCodes.StatusClosed)
            {
                _bigSegmentsTimer?.Dispose();
            }
            Volatile.Write(ref _pollsBigSegments, 0);
        }
    }
}
