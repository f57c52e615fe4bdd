// Who a flag is evaluated for.
//
// Every call that uses the native context counts itself in and out, so that Dispose can give the memory back at once and yet
// never while a call uses it. Counted here, by two additions that are compiled into the caller: the counting of SafeHandle is a
// call and a loop each way, some nanoseconds more on a path that all evaluations take. A context that is used after that is
// made anew from its recipe; the finalizer does what Dispose does, so an object that is brought back after it is as good as new.
using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using System.Text.Json.Serialization;
using System.Threading;
using Flagstone.Interop;

namespace Flagstone;

/// <summary>
/// Who a flag is evaluated for: immutable, usable by any number of clients and threads. Making one costs less than a
/// microsecond; keep it as long as the same one asks. <c>System.Text.Json</c> writes and reads it in LaunchDarkly's form.
/// </summary>
/// <remarks>
/// A context holds some hundred bytes of native memory. Disposing of it gives them back at once, and may be left to the garbage
/// collector. It never does harm: a context that is used again, in an evaluation of another thread or a task that outlives the
/// scope, is as good as before.
/// </remarks>
[JsonConverter(typeof(ContextJsonConverter))]
public sealed partial class Context : IDisposable, IEquatable<Context>
{
    private const int Empty = 1;
    private const int OneCall = 2;

    /// <summary>Also what is locked when the memory is given back or made anew.</summary>
    private readonly Recipe _recipe;

    private IntPtr _native;

    /// <summary>Bit 0: there is no native context, or none once the last call has ended. Above it: how many calls are under way.
    /// </summary>
    private int _state;

    /// <summary>The finalizer has run, or will not.</summary>
    private bool _unwatched;

    private Context(Recipe recipe, IntPtr native)
    {
        _recipe = recipe;
        _native = native;
    }

    /// <summary>Does what <see cref="Dispose"/> does.</summary>
    ~Context() => GiveBack(byFinalizer: true);

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
    public static Context New(ContextKind kind, string key) =>
        From(new KeyRecipe(kind, key ?? throw new ArgumentNullException(nameof(key))));

    /// <summary>Joins contexts of different kinds into one; one alone stays as it is.</summary>
    /// <param name="contexts">The contexts; multi-kind ones contribute all their members.</param>
    /// <returns>The context.</returns>
    /// <exception cref="ArgumentException">A kind comes twice, or there is no context.</exception>
    public static Context NewMulti(params Context[] contexts)
    {
        List<Context> parts = [];
        foreach (Context part in contexts ?? throw new ArgumentNullException(nameof(contexts)))
        {
            _ = part ?? throw new ArgumentNullException(nameof(contexts));
            parts.AddRange(part._recipe is JoinedRecipe joined ? joined.Contexts : [part]);
        }
        return contexts.Length == 1 ? contexts[0] : From(new JoinedRecipe([.. parts]));
    }

    /// <summary>
    /// A context from JSON: single-kind (<c>{"kind":"org","key":"o",…}</c>), multi-kind
    /// (<c>{"kind":"multi","org":{…},…}</c>) or the older user form without <c>kind</c>.
    /// </summary>
    /// <param name="json">JSON text.</param>
    /// <returns>The context.</returns>
    /// <exception cref="ArgumentException">It is no JSON or no valid context; the message names the property.</exception>
    public static Context FromJson(string json) =>
        From(new JsonRecipe(Utf8.Encode(json ?? throw new ArgumentNullException(nameof(json)), nameof(json))));

    /// <summary>As <see cref="FromJson(string)"/>, from UTF-8.</summary>
    /// <param name="utf8Json">JSON text in UTF-8.</param>
    /// <returns>The context.</returns>
    /// <exception cref="ArgumentException">It is no JSON or no valid context; the message names the property.</exception>
    public static Context FromJson(ReadOnlySpan<byte> utf8Json) => From(new JsonRecipe(utf8Json.ToArray()));

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
    public unsafe string FullyQualifiedKey
    {
        get
        {
            NativeBytes text = default;
            IntPtr error = IntPtr.Zero;
            IntPtr native = Acquire();
            int status = NativeMethods.flagstone_context_canonical_key(native, &text, &error);
            Leave();
            NativeResult.Check(status, error);
            return NativeResult.Take(ref text);
        }
    }

    /// <summary>The JSON form.</summary>
    /// <returns>JSON text.</returns>
    public unsafe string ToJsonString()
    {
        NativeBytes text = default;
        IntPtr error = IntPtr.Zero;
        IntPtr native = Acquire();
        int status = NativeMethods.flagstone_context_to_json(native, &text, &error);
        Leave();
        NativeResult.Check(status, error);
        return NativeResult.Take(ref text);
    }

    /// <summary>The JSON form.</summary>
    /// <returns>Text for people.</returns>
    public override string ToString() => ToJsonString();

    /// <summary>Whether both say the same: equal kinds, keys, attributes and private attributes, in any order.</summary>
    /// <param name="other">Another context.</param>
    /// <returns>Whether they are equal.</returns>
    public bool Equals(Context? other) =>
        ReferenceEquals(this, other) || (other is not null && ContextEquality.AreEqual(ToJsonString(), other.ToJsonString()));

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Context);

    /// <inheritdoc/>
    public override int GetHashCode() => StringComparer.Ordinal.GetHashCode(FullyQualifiedKey);

    /// <summary>
    /// Gives the native memory back as soon as no call uses it. May be called again. The context stays usable: whoever uses it
    /// again makes it take memory again, until the next <see cref="Dispose"/> or until it is collected.
    /// </summary>
#pragma warning disable CA1816 // the finalizer is left off where the memory is really given back
    public void Dispose() => GiveBack(byFinalizer: false);

    /// <summary>Makes a context.</summary>
    /// <exception cref="ArgumentException">There is no such context.</exception>
    internal static Context From(Recipe recipe)
    {
        // First of all: a context without one must not come before its finalizer.
        IntPtr native = recipe.Make();
        return new Context(recipe, native);
    }

    /// <summary>
    /// The native context, protected from <see cref="Dispose"/> until <see cref="Release(Context?, IntPtr)"/>; zero when there
    /// is none.
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private IntPtr Acquire() => (Interlocked.Add(ref _state, OneCall) & Empty) == 0 ? _native : MakeAnew();

    /// <summary>Ends a call. The last one after <see cref="Dispose"/> frees.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Leave()
    {
        if (Interlocked.Add(ref _state, -OneCall) == Empty)
        {
            FreeAtLast();
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void FreeAtLast()
    {
        lock (_recipe)
        {
            FreeIfUnused();
        }
    }

    private void GiveBack(bool byFinalizer)
    {
        lock (_recipe)
        {
            if ((Volatile.Read(ref _state) & Empty) == 0)
            {
                Interlocked.Add(ref _state, Empty);
            }
            FreeIfUnused();
            if (byFinalizer)
            {
                _unwatched = true;
            }
            else if (!_unwatched && _native == IntPtr.Zero)
            {
                _unwatched = true;
                GC.SuppressFinalize(this);
            }
        }
    }

#pragma warning restore CA1816

    /// <summary>Called with the lock. Whoever counts himself in from here on waits for it.</summary>
    private void FreeIfUnused()
    {
        if (Volatile.Read(ref _state) == Empty && _native != IntPtr.Zero)
        {
            NativeMethods.flagstone_context_release(_native);
            _native = IntPtr.Zero;
        }
    }

    /// <summary>For a call that has counted itself in and found that there is no native context, or soon none.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private IntPtr MakeAnew()
    {
        lock (_recipe)
        {
            try
            {
                if (_native == IntPtr.Zero)
                {
                    _native = _recipe.Make();
                }
            }
            catch
            {
                // It was made before: there is no memory. The call does not take place.
                Interlocked.Add(ref _state, -OneCall);
                throw;
            }
            if ((Volatile.Read(ref _state) & Empty) != 0)
            {
                Interlocked.Add(ref _state, -Empty);
            }
            if (_unwatched)
            {
                _unwatched = false;
                GC.ReRegisterForFinalize(this);
            }
            return _native;
        }
    }
}
