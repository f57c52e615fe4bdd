// Evaluation into a native detail, for everything that is more than a scalar by a short key.
using System;
using System.Buffers;
using System.Runtime.CompilerServices;
using Flagstone.Interop;

namespace Flagstone;

public sealed partial class FlagstoneClient
{
    /// <summary>The caller's default, as far as anybody is told of it. A text is lent.</summary>
    private unsafe NativeDefault Given<T, TValue>(T defaultValue, byte* buffer)
        where TValue : struct, IValueType<T> => _hasEvents ? default(TValue).Default(defaultValue, buffer) : default;

    /// <summary>Evaluates into a detail, which is to be cleared; false when the key is none.</summary>
    [SkipLocalsInit]
    private unsafe bool Fill(string? key, Context? context, in Question question, NativeDetail* detail)
    {
        byte* buffer = stackalloc byte[Utf8.KeyCapacity];
        int length = key is null ? Utf8.Refused : Utf8.TryEncode(key, buffer, Utf8.KeyCapacity);
        if (length >= 0)
        {
            Fill(buffer, length, context, question, detail);
            return true;
        }
        if (key is not null && FillLong(key, context, question, detail))
        {
            return true;
        }
        SayNoKey();
        return false;
    }

    /// <summary>For keys that do not fit the buffer on the stack, those that are too long, and those that are no text.</summary>
    private unsafe bool FillLong(string key, Context? context, in Question question, NativeDetail* detail)
    {
        if (key.Length > Utf8.MaxKeyLength)
        {
            return false;
        }
        byte[] rented = ArrayPool<byte>.Shared.Rent(key.Length * Utf8.MaxBytesPerChar);
        int length;
        fixed (byte* pointer = rented)
        {
            length = Utf8.TryEncode(key, pointer, rented.Length);
            if (length >= 0)
            {
                Fill(pointer, length, context, question, detail);
            }
        }
        ArrayPool<byte>.Shared.Return(rented);
        return length >= 0;
    }

    // A method of its own for the reason that Bool is one.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private unsafe void Fill(byte* key, int length, Context? context, in Question question, NativeDetail* detail)
    {
        byte none = 0;
        IntPtr native = Context.Acquire(context);
        // An empty key is one, a null pointer is none.
        _ = NativeMethods.flagstone_variation_or(
            _native, native, key is null ? &none : key, (nuint)length, question.Wanted, question.Given, question.Options, detail);
        Leave(context, native);
    }

    /// <summary>What is asked, beside key and context.</summary>
    /// <param name="wanted">The native type.</param>
    /// <param name="given">The caller's default, alive during the call.</param>
    /// <param name="options">Whether the reason is handed on.</param>
    private readonly unsafe struct Question(int wanted, NativeDefault* given, uint options)
    {
        internal int Wanted { get; } = wanted;

        internal NativeDefault* Given { get; } = given;

        internal uint Options { get; } = options;
    }
}
