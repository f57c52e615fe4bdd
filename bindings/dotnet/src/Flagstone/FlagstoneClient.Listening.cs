// Listeners to the value of a flag. The library compares values on the thread of the pump.
using System;
using System.Collections.Generic;
using System.Text.Json;
using System.Threading;
using Flagstone.Interop;

namespace Flagstone;

public sealed partial class FlagstoneClient
{
    /// <summary>By number. Locked while one is registered, so that its first notification finds it.</summary>
    private readonly Dictionary<ulong, FlagValueListener> _listeners = [];

    /// <summary>
    /// Calls a handler whenever the value of a flag becomes another one for a context, whatever caused it: the flag, a segment, a
    /// prerequisite; in daemon mode, too. The present value is the first one that others are compared with.
    /// </summary>
    /// <remarks>
    /// Handlers run one after the other on the client's own thread, as those of <see cref="FlagChanged"/> do; what they throw is
    /// logged. Nothing comes before <see cref="StartAsync(CancellationToken)"/>. Values are compared as JSON; that leaves no events
    /// and counts for nothing. Waits for Redis, at most <see cref="FlagstoneOptions.RedisCommandTimeoutMs"/>, with
    /// <see cref="CacheResidency.Lazy"/> and <see cref="CacheResidency.Off"/> only; there, changes are looked for every
    /// <see cref="FlagstoneOptions.CacheTtlMs"/>.
    /// </remarks>
    /// <param name="key">Key of the flag; it need not exist.</param>
    /// <param name="context">For whom.</param>
    /// <param name="handler">Gets each change.</param>
    /// <returns>Ends it when disposed of; a call that is under way comes to its end. The end of the client ends it, too.</returns>
    /// <exception cref="ArgumentException">The key is no text.</exception>
    /// <exception cref="ObjectDisposedException">The client is closed.</exception>
    public IDisposable OnFlagValueChanged(string key, Context context, Action<FlagValueChange> handler)
    {
        FlagValueListener listener = new(
            this, NotNull(key), NotNull(context), handler ?? throw new ArgumentNullException(nameof(handler)), null);
        Listen(listener);
        return listener;
    }

    /// <summary>
    /// As <see cref="OnFlagValueChanged"/>, for as many observers as subscribe, each from then on. The end of the client completes
    /// the sequence; who subscribes after it gets its <see cref="ObjectDisposedException"/>.
    /// </summary>
    /// <param name="key">Key of the flag; it need not exist.</param>
    /// <param name="context">For whom.</param>
    /// <returns>The changes.</returns>
    public IObservable<FlagValueChange> ObserveFlagValue(string key, Context context) =>
        new FlagValueObservable(this, NotNull(key), NotNull(context));

    /// <summary>
    /// As <see cref="OnFlagValueChanged"/>, for <c>await foreach</c>: the changes from the begin of the enumeration to the end of
    /// the client. A reader that is a thousand changes late misses the oldest.
    /// </summary>
    /// <param name="key">Key of the flag; it need not exist.</param>
    /// <param name="context">For whom.</param>
    /// <param name="cancellationToken">Ends the enumeration with an <see cref="OperationCanceledException"/>.</param>
    /// <returns>The changes.</returns>
    public IAsyncEnumerable<FlagValueChange> FlagValueChangesAsync(
        string key, Context context, CancellationToken cancellationToken = default) =>
        FlagValueStream.OfAsync(this, NotNull(key), NotNull(context), cancellationToken);

    /// <summary>Keeps this object alive until the result is disposed of.</summary>
    internal IDisposable Hold() => StartPump().HoldClient(this);

    /// <summary>Registers a listener.</summary>
    internal unsafe void Listen(FlagValueListener listener)
    {
        byte[] key = Utf8.Encode(listener.Key, nameof(key));
        byte none = 0;
        ulong number = 0;
        IntPtr error = IntPtr.Zero;
        lock (_listeners)
        {
            IntPtr native = Context.Acquire(listener.Context);
            int status;
            fixed (byte* pointer = key)
            {
                status = NativeMethods.flagstone_client_listen(
                    _native, native, pointer is null ? &none : pointer, (nuint)key.Length, &number, &error);
            }
            Leave(listener.Context, native);
            NativeResult.Check(status, error, nameof(key));
            listener.Number = number;
            _listeners[number] = listener;
        }
    }

    /// <summary>Ends a listener; also one that has ended.</summary>
    internal unsafe void Unlisten(FlagValueListener listener)
    {
        lock (_listeners)
        {
            if (_listeners.Remove(listener.Number))
            {
                _ = NativeMethods.flagstone_client_unlisten(_native, listener.Number, null);
                GC.KeepAlive(this);
            }
        }
    }

    internal void OnValueChanged(JsonElement change)
    {
        FlagValueListener? listener;
        lock (_listeners)
        {
            _listeners.TryGetValue(change.GetProperty("listener").GetUInt64(), out listener);
        }
        if (listener is not null)
        {
            Safely(() => listener.Handler(new FlagValueChange(
                listener.Key, listener.Context, change.GetProperty("old"), change.GetProperty("new"))));
        }
    }

    /// <summary>Tells all listeners that nothing more comes.</summary>
    private void EndListeners()
    {
        FlagValueListener[] left;
        lock (_listeners)
        {
            left = [.. _listeners.Values];
            _listeners.Clear();
        }
        foreach (FlagValueListener listener in left)
        {
            if (listener.OnEnd is Action end)
            {
                Safely(end);
            }
        }
    }

    private static Context NotNull(Context context) => context ?? throw new ArgumentNullException(nameof(context));
}
