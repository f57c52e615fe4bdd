// Who a flag is evaluated for.
//
// Every call that uses the native context counts itself in and out, so that Dispose can give the memory back at once and yet
// never while a call uses it. Counted here, by two additions that are compiled into the caller: the counting of SafeHandle is a
// call and a loop each way, some nanoseconds more on a path that all evaluations take.
using System;
using System.Runtime.CompilerServices;
using System.Threading;
using Flagstone.Handles;
using Flagstone.Interop;

namespace Flagstone;

/// <summary>
/// Who a flag is evaluated for: immutable, usable by any number of clients and threads. Making one costs about a microsecond;
/// keep it as long as the same one asks.
/// </summary>
/// <remarks>
/// Disposing of a context gives its memory back at once, and may be left to the garbage collector. It may happen while
/// other threads evaluate with the context; later evaluations give the default, as for no context.
/// </remarks>
public sealed class Context : IDisposable, IEquatable<Context>
{
    private const int Disposed = 1;
    private const int OneCall = 2;

    private readonly ContextHandle _handle;
    private readonly IntPtr _native;

    /// <summary>Bit 0: disposed. Above it: how many calls are under way.</summary>
    private int _state;

    internal Context(IntPtr native)
    {
        _handle = new ContextHandle(native);
        _native = native;
    }

    /// <summary>A context of the kind <c>user</c> that has nothing but a key.</summary>
    /// <param name="key">The key: not empty.</param>
    /// <returns>The context.</returns>
    /// <exception cref="ArgumentException">The key is empty or no text.</exception>
    public static Context New(string key) => New(ContextKind.Default, key);

    /// <summary>A context that has nothing but kind and key.</summary>
    /// <param name="kind">The kind.</param>
    /// <param name="key">The key: not empty.</param>
    /// <returns>The context.</returns>
    /// <exception cref="ArgumentException">The kind is not allowed; the key is empty or no text.</exception>
    [SkipLocalsInit]
    public static unsafe Context New(ContextKind kind, string key)
    {
        NativeLoader.EnsureLoaded();
        Span<byte> kindBuffer = stackalloc byte[Utf8.NameCapacity];
        Span<byte> keyBuffer = stackalloc byte[Utf8.KeyCapacity];
        ReadOnlySpan<byte> kindBytes = Utf8.Encode(kind.Value, kindBuffer, nameof(kind));
        ReadOnlySpan<byte> keyBytes = Utf8.Encode(key ?? throw new ArgumentNullException(nameof(key)), keyBuffer, nameof(key));
        IntPtr made = IntPtr.Zero;
        IntPtr error = IntPtr.Zero;
        fixed (byte* kindPointer = kindBytes, keyPointer = keyBytes)
        {
            int status = NativeMethods.flagstone_context_from_key(
                new NativeText(kindPointer, (nuint)kindBytes.Length),
                new NativeText(keyPointer, (nuint)keyBytes.Length),
                &made,
                &error);
            NativeResult.Check(status, error, nameof(key));
        }
        return new Context(made);
    }

    /// <summary>Joins contexts of different kinds into one; one alone stays as it is.</summary>
    /// <param name="contexts">The contexts; multi-kind ones contribute all their members.</param>
    /// <returns>The context.</returns>
    /// <exception cref="ArgumentException">A kind comes twice, or there is no context.</exception>
    public static Context NewMulti(params Context[] contexts)
    {
        _ = contexts ?? throw new ArgumentNullException(nameof(contexts));
        return Merge(contexts);
    }

    /// <summary>
    /// A context from JSON: single-kind (<c>{"kind":"org","key":"o",…}</c>), multi-kind
    /// (<c>{"kind":"multi","org":{…},…}</c>) or the older user form without <c>kind</c>.
    /// </summary>
    /// <param name="json">JSON text.</param>
    /// <returns>The context.</returns>
    /// <exception cref="ArgumentException">It is no JSON or no valid context; the message names the property.</exception>
    [SkipLocalsInit]
    public static Context FromJson(string json)
    {
        Span<byte> buffer = stackalloc byte[Utf8.JsonCapacity];
        return FromJson(Utf8.Encode(json ?? throw new ArgumentNullException(nameof(json)), buffer, nameof(json)));
    }

    /// <summary>As <see cref="FromJson(string)"/>, from UTF-8.</summary>
    /// <param name="utf8Json">JSON text in UTF-8.</param>
    /// <returns>The context.</returns>
    /// <exception cref="ArgumentException">It is no JSON or no valid context; the message names the property.</exception>
    public static unsafe Context FromJson(ReadOnlySpan<byte> utf8Json)
    {
        NativeLoader.EnsureLoaded();
        IntPtr made = IntPtr.Zero;
        IntPtr error = IntPtr.Zero;
        fixed (byte* pointer = utf8Json)
        {
            int status = NativeMethods.flagstone_context_from_json(pointer, (nuint)utf8Json.Length, &made, &error);
            NativeResult.Check(status, error, "json");
        }
        return new Context(made);
    }

    /// <summary>Collects the attributes of a context of the kind <c>user</c>.</summary>
    /// <param name="key">The key; checked by <see cref="ContextBuilder.Build"/>.</param>
    /// <returns>A builder.</returns>
    public static ContextBuilder Builder(string key) => new(ContextKind.Default, key);

    /// <summary>Collects the attributes of a single-kind context.</summary>
    /// <param name="kind">The kind.</param>
    /// <param name="key">The key; both are checked by <see cref="ContextBuilder.Build"/>.</param>
    /// <returns>A builder.</returns>
    public static ContextBuilder Builder(ContextKind kind, string key) => new(kind, key);

    /// <summary>Collects contexts of different kinds.</summary>
    /// <returns>A builder.</returns>
    public static ContextMultiBuilder MultiBuilder() => new();

    /// <summary>
    /// Identifies who is asking by kinds and keys alone: a user's key, else <c>kind:key</c>, several joined by <c>:</c> in the
    /// order of their kinds.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The context is disposed.</exception>
    public unsafe string FullyQualifiedKey
    {
        get
        {
            NativeBytes text = default;
            IntPtr error = IntPtr.Zero;
            IntPtr native = AcquireOrThrow();
            int status = NativeMethods.flagstone_context_canonical_key(native, &text, &error);
            Release(native);
            NativeResult.Check(status, error);
            return NativeResult.Take(ref text);
        }
    }

    /// <summary>The JSON form.</summary>
    /// <returns>JSON text.</returns>
    /// <exception cref="ObjectDisposedException">The context is disposed.</exception>
    public unsafe string ToJsonString()
    {
        NativeBytes text = default;
        IntPtr error = IntPtr.Zero;
        IntPtr native = AcquireOrThrow();
        int status = NativeMethods.flagstone_context_to_json(native, &text, &error);
        Release(native);
        NativeResult.Check(status, error);
        return NativeResult.Take(ref text);
    }

    /// <summary>The JSON form, or the type's name when the context is disposed.</summary>
    /// <returns>Text for people.</returns>
    public override string ToString() => (Volatile.Read(ref _state) & Disposed) != 0 ? nameof(Context) : ToJsonString();

    /// <summary>Whether both say the same: equal kinds, keys, attributes and private attributes, in any order.</summary>
    /// <param name="other">Another context.</param>
    /// <returns>Whether they are equal.</returns>
    /// <exception cref="ObjectDisposedException">One of two different contexts is disposed.</exception>
    public bool Equals(Context? other) =>
        ReferenceEquals(this, other) || (other is not null && JsonEquality.AreEqual(ToJsonString(), other.ToJsonString()));

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Context);

    /// <inheritdoc/>
    public override int GetHashCode() => StringComparer.Ordinal.GetHashCode(FullyQualifiedKey);

    /// <summary>Gives the memory back as soon as no evaluation uses it any more. May be called again.</summary>
    public void Dispose()
    {
        Interlocked.Add(ref _state, OneCall);
        int state;
        do
        {
            state = Volatile.Read(ref _state);
        }
        while (Interlocked.CompareExchange(ref _state, state | Disposed, state) != state);
        Leave();
    }

    /// <summary>
    /// The native context, protected from <see cref="Dispose"/> until <see cref="Release(IntPtr)"/>; zero when there is none or
    /// it is disposed.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static IntPtr Acquire(Context? context) => context is null ? IntPtr.Zero : context.Acquire();

    /// <summary>Undoes <see cref="Acquire(Context?)"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Release(Context? context, IntPtr native)
    {
        if (native != IntPtr.Zero)
        {
            context!.Leave();
        }
    }

    internal static unsafe Context Merge(ReadOnlySpan<Context> contexts)
    {
        NativeLoader.EnsureLoaded();
        IntPtr made = IntPtr.Zero;
        IntPtr error = IntPtr.Zero;
        IntPtr[] natives = new IntPtr[contexts.Length];
        int acquired = 0;
        try
        {
            for (; acquired < natives.Length; acquired++)
            {
                natives[acquired] = (contexts[acquired] ?? throw new ArgumentNullException(nameof(contexts))).AcquireOrThrow();
            }
            fixed (IntPtr* pointer = natives)
            {
                int status = NativeMethods.flagstone_context_merge(pointer, (nuint)natives.Length, &made, &error);
                NativeResult.Check(status, error, nameof(contexts));
            }
        }
        finally
        {
            while (acquired > 0)
            {
                acquired--;
                Release(contexts[acquired], natives[acquired]);
            }
        }
        return new Context(made);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private IntPtr Acquire()
    {
        if ((Interlocked.Add(ref _state, OneCall) & Disposed) == 0)
        {
            return _native;
        }
        Leave();
        return IntPtr.Zero;
    }

    /// <summary>Ends a call. The last one after <see cref="Dispose"/> frees; it may come more than once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Leave()
    {
        if (Interlocked.Add(ref _state, -OneCall) == Disposed)
        {
            Free();
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Free() => _handle.Dispose();

    /// <summary>As <see cref="Acquire(Context?)"/>.</summary>
    /// <exception cref="ObjectDisposedException">The context is disposed.</exception>
    internal IntPtr AcquireOrThrow()
    {
        IntPtr native = Acquire();
        return native != IntPtr.Zero ? native : throw new ObjectDisposedException(nameof(Context));
    }

    private void Release(IntPtr native) => Release(this, native);
}
