// Text that the library borrows for one call. It is written into a buffer on the stack of the caller; what does not fit there goes
// to native memory, which needs no pin and is nobody's garbage.
using System;
using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Flagstone.Interop;

internal static unsafe class LentText
{
    /// <summary>Size of the buffers on the stack.</summary>
    internal const int Capacity = 256;

    /// <summary>A text. What is no UTF-16 in it is told as U+FFFD: it is for people, and names nothing.</summary>
    /// <param name="text">The text.</param>
    /// <param name="buffer">A buffer of <see cref="Capacity"/> bytes, which the text may be in.</param>
    /// <returns>The text, to be given back with <see cref="TakeBack"/>.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static NativeText Of(string text, byte* buffer)
    {
#if NET8_0_OR_GREATER
        if (Ascii.FromUtf16(text, new Span<byte>(buffer, Capacity), out int ascii) == OperationStatus.Done)
        {
            return new NativeText(buffer, (nuint)ascii);
        }
#endif
        return OfAny(text, buffer);
    }

    /// <inheritdoc cref="Of(string, byte*)"/>
    internal static NativeText Of(ReadOnlySpan<byte> text, byte* buffer)
    {
        byte* place = Place(text.Length, buffer);
        text.CopyTo(new Span<byte>(place, text.Length));
        return new NativeText(place, (nuint)text.Length);
    }

    /// <summary>The same for a text that names something: false, with none, when it is null or no UTF-16.</summary>
    internal static bool TryLend(string? text, byte* buffer, out NativeText lent)
    {
        lent = default;
        int length = text is null ? Utf8.Refused : Utf8.TryEncode(text, buffer, Capacity);
        if (length >= 0)
        {
            lent = new NativeText(buffer, (nuint)length);
        }
        else if (text is not null && Utf8.TryEncode(text, out byte[]? bytes))
        {
            lent = Of(bytes, buffer);
        }
        return lent.ptr is not null;
    }

    /// <summary>Ends the loan.</summary>
    /// <param name="text">The text; may be none.</param>
    /// <param name="buffer">The buffer that it may be in.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void TakeBack(in NativeText text, byte* buffer)
    {
        if (text.ptr != buffer && text.ptr is not null)
        {
            Marshal.FreeHGlobal((IntPtr)text.ptr);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static NativeText OfAny(string text, byte* buffer)
    {
        int length = Encoding.UTF8.GetByteCount(text);
        byte* place = Place(length, buffer);
        fixed (char* chars = text)
        {
            _ = Encoding.UTF8.GetBytes(chars, text.Length, place, length);
        }
        return new NativeText(place, (nuint)length);
    }

    private static byte* Place(int length, byte* buffer) =>
        length <= Capacity ? buffer : (byte*)Marshal.AllocHGlobal(length);
}
