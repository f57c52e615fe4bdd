// UTF-8 both ways. Text that is no UTF-16 (a lone surrogate) is refused rather than replaced: a replaced key would name another
// flag.
using System;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Text;
#if NET8_0_OR_GREATER
using System.Buffers;
#endif

namespace Flagstone.Interop;

internal static unsafe class Utf8
{
    private static readonly UTF8Encoding s_strict = new(false, true);

    /// <summary>What <see cref="TryEncode(string, byte*, int)"/> returns for text that does not fit or is no UTF-16.</summary>
    internal const int Refused = -1;

    /// <summary>The most that one UTF-16 unit takes.</summary>
    internal const int MaxBytesPerChar = 3;

    /// <summary>Size of the buffers on the stack that keys are encoded into; longer ones take the slow way.</summary>
    internal const int KeyCapacity = 256;

    /// <summary>
    /// The longest key that is looked up, in UTF-16 units; far beyond what a flag's key can be, and short enough to be encoded
    /// anywhere.
    /// </summary>
    internal const int MaxKeyLength = 1 << 24;

    /// <summary>As <see cref="KeyCapacity"/>, for kinds and for names of attributes.</summary>
    internal const int NameCapacity = 64;

    /// <summary>The same for contexts as JSON.</summary>
    internal const int JsonCapacity = 1024;

    /// <summary>Encodes without allocating; <see cref="Refused"/> when it does not fit or is no UTF-16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int TryEncode(string text, byte* buffer, int capacity)
    {
#if NET8_0_OR_GREATER
        // Nearly every key is ASCII, and that takes a third less time.
        if (Ascii.FromUtf16(text, new Span<byte>(buffer, capacity), out int ascii) == OperationStatus.Done)
        {
            return ascii;
        }
        OperationStatus done = System.Text.Unicode.Utf8.FromUtf16(
            text, new Span<byte>(buffer, capacity), out _, out int written, replaceInvalidSequences: false);
        return done == OperationStatus.Done ? written : Refused;
#else
        try
        {
            fixed (char* chars = text)
            {
                // Counted only where it may matter.
                return text.Length > capacity / MaxBytesPerChar && s_strict.GetByteCount(chars, text.Length) > capacity
                    ? Refused
                    : s_strict.GetBytes(chars, text.Length, buffer, capacity);
            }
        }
        catch (EncoderFallbackException)
        {
            return Refused;
        }
#endif
    }

    /// <summary>The bytes of a text of any length; false when it is no UTF-16.</summary>
    internal static bool TryEncode(string text, [NotNullWhen(true)] out byte[]? bytes)
    {
        try
        {
            bytes = s_strict.GetBytes(text);
            return true;
        }
        catch (EncoderFallbackException)
        {
            bytes = null;
            return false;
        }
    }

    /// <summary>How many bytes a text takes; one that is no UTF-16 takes no more than that.</summary>
    internal static long Length(string text) => text.Length <= int.MaxValue / MaxBytesPerChar
        ? Encoding.UTF8.GetByteCount(text)
        : (long)text.Length * MaxBytesPerChar;

    /// <summary>The bytes of an argument.</summary>
    /// <param name="text">The text.</param>
    /// <param name="argument">The argument to blame.</param>
    /// <param name="what">What the text is; by default the argument.</param>
    /// <exception cref="ArgumentException">It is no UTF-16. The text is not shown: it may be a password.</exception>
    internal static byte[] Encode(string text, string? argument, string? what = null) =>
        TryEncode(text, out byte[]? bytes) ? bytes : throw NotText(what ?? argument, argument);

    /// <summary>The same, in the buffer if the text is short enough.</summary>
    /// <inheritdoc cref="Encode(string, string, string)"/>
    internal static ReadOnlySpan<byte> Encode(string text, Span<byte> buffer, string argument)
    {
        fixed (byte* pointer = buffer)
        {
            int length = TryEncode(text, pointer, buffer.Length);
            return length >= 0 ? buffer.Slice(0, length) : Encode(text, argument);
        }
    }

    /// <summary>The exception for a text that is no UTF-16.</summary>
    internal static ArgumentException NotText(string? what, string? argument) =>
        new($"{what}: the text has a lone surrogate and cannot be written as UTF-8", argument);

    /// <summary>A copy of native text; an empty one may be at null.</summary>
    internal static string ToString(byte* text, nuint length) =>
        length == 0 ? "" : Encoding.UTF8.GetString(text, checked((int)length));

    /// <summary>A copy of native text that ends with NUL.</summary>
    internal static string ToString(byte* text)
    {
        int length = 0;
        while (text[length] != 0)
        {
            length++;
        }
        return Encoding.UTF8.GetString(text, length);
    }
}
