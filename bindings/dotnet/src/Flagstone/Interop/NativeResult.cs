// Turns what native calls report into exceptions and strings.
using System;

namespace Flagstone.Interop;

internal static unsafe class NativeResult
{
    /// <summary>Throws the exception for a status other than OK, and frees the error that came with it.</summary>
    /// <param name="status">What the call returned.</param>
    /// <param name="error">The error it made; may be zero.</param>
    /// <param name="argument">The argument to blame for a value that is not allowed.</param>
    /// <param name="translate">Puts the message into the words of the caller.</param>
    internal static void Check(int status, IntPtr error, string? argument = null, Func<string, string>? translate = null)
    {
        if (status != NativeCodes.StatusOk)
        {
            throw ToException(status, error, argument, translate);
        }
    }

    /// <summary>Frees an error that says nothing new, such as that of a time-out.</summary>
    internal static void Discard(IntPtr error) => NativeMethods.flagstone_error_free(error);

    /// <summary>Reads and frees an error.</summary>
    internal static string TakeMessage(IntPtr error)
    {
        string message = NativeMethods.flagstone_error_message(error).ToString();
        NativeMethods.flagstone_error_free(error);
        return message;
    }

    /// <summary>Reads and frees what a function filled with text.</summary>
    internal static string Take(ref NativeBytes bytes)
    {
        fixed (NativeBytes* pointer = &bytes)
        {
            try
            {
                return bytes.len == 0 ? string.Empty : Utf8.ToString(bytes.ptr, bytes.len);
            }
            finally
            {
                NativeMethods.flagstone_bytes_clear(pointer);
            }
        }
    }

    /// <summary>The same, as it is: in UTF-8.</summary>
    internal static byte[] TakeBytes(ref NativeBytes bytes)
    {
        fixed (NativeBytes* pointer = &bytes)
        {
            try
            {
                return new ReadOnlySpan<byte>(bytes.ptr, checked((int)bytes.len)).ToArray();
            }
            finally
            {
                NativeMethods.flagstone_bytes_clear(pointer);
            }
        }
    }

    private static Exception ToException(int status, IntPtr error, string? argument, Func<string, string>? translate)
    {
        string message = error == IntPtr.Zero ? Utf8.ToString(NativeMethods.flagstone_status_name(status)) : TakeMessage(error);
        message = translate is null ? message : translate(message);
        return status switch
        {
            NativeCodes.StatusInvalidArgument or NativeCodes.StatusNullArgument or NativeCodes.StatusBadUtf8
                or NativeCodes.StatusBadJson => new ArgumentException(message, argument),
            NativeCodes.StatusClosed => new ObjectDisposedException(nameof(FlagstoneClient), message),
            _ => new FlagstoneException(message, status),
        };
    }
}
