// What a context is made from. A context keeps it, so that its native memory can be given back early and made anew should it
// be used again; none of them changes once a context has it.
using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using Flagstone.Interop;

namespace Flagstone;

internal abstract class Recipe
{
    /// <summary>Makes the native context.</summary>
    /// <exception cref="ArgumentException">There is no such context.</exception>
    internal abstract IntPtr Make();
}

/// <summary>Kind and key.</summary>
internal sealed class KeyRecipe(ContextKind kind, string key) : Recipe
{
    [SkipLocalsInit]
    internal override unsafe IntPtr Make()
    {
        NativeLoader.EnsureLoaded();
        Span<byte> kindBuffer = stackalloc byte[Utf8.NameCapacity];
        Span<byte> keyBuffer = stackalloc byte[Utf8.KeyCapacity];
        ReadOnlySpan<byte> kindBytes = Utf8.Encode(kind.Value, kindBuffer, nameof(kind));
        ReadOnlySpan<byte> keyBytes = Utf8.Encode(key, keyBuffer, nameof(key));
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
        return made;
    }
}

/// <summary>JSON text in UTF-8.</summary>
internal sealed class JsonRecipe(byte[] json) : Recipe
{
    internal override IntPtr Make() => Make(json);

    internal static unsafe IntPtr Make(ReadOnlySpan<byte> json)
    {
        NativeLoader.EnsureLoaded();
        IntPtr made = IntPtr.Zero;
        IntPtr error = IntPtr.Zero;
        fixed (byte* pointer = json)
        {
            int status = NativeMethods.flagstone_context_from_json(pointer, (nuint)json.Length, &made, &error);
            NativeResult.Check(status, error, nameof(json));
        }
        return made;
    }
}

/// <summary>Contexts of different kinds.</summary>
/// <param name="contexts">
/// Contexts that were not joined themselves: a chain of contexts that were made of each other would be kept, and made anew, from its
/// end to its begin.
/// </param>
internal sealed class JoinedRecipe(Context[] contexts) : Recipe
{
    internal IReadOnlyList<Context> Contexts => contexts;

    internal override unsafe IntPtr Make()
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
                natives[acquired] = Context.Acquire(contexts[acquired]);
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
                Context.Release(contexts[acquired], natives[acquired]);
            }
        }
        return made;
    }
}

/// <summary>The context of one kind in a multi-kind one.</summary>
internal sealed class PartRecipe(Context whole, ContextKind kind) : Recipe
{
    internal override unsafe IntPtr Make()
    {
        byte[] bytes = Utf8.Encode(kind.Value, nameof(kind));
        IntPtr made = IntPtr.Zero;
        IntPtr error = IntPtr.Zero;
        IntPtr native = Context.Acquire(whole);
        int status;
        fixed (byte* pointer = bytes)
        {
            status = NativeMethods.flagstone_context_individual(
                native, new NativeText(pointer, (nuint)bytes.Length), &made, &error);
        }
        Context.Release(whole, native);
        NativeResult.Check(status, error, nameof(kind));
        return made;
    }
}
