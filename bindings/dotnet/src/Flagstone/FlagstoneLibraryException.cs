// Its own type, because a host can do something about it: install the right library.
using System;
using Flagstone.Interop;

namespace Flagstone;

/// <summary>The native library is missing, cannot be loaded, or is not the one that this package was made for.</summary>
public sealed class FlagstoneLibraryException : FlagstoneException
{
    /// <summary>Makes an exception without a message.</summary>
    public FlagstoneLibraryException()
    {
    }

    /// <summary>Makes an exception.</summary>
    /// <param name="message">For people.</param>
    public FlagstoneLibraryException(string message)
        : base(message)
    {
    }

    /// <summary>Makes an exception.</summary>
    /// <param name="message">For people.</param>
    /// <param name="innerException">The cause.</param>
    public FlagstoneLibraryException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    internal FlagstoneLibraryException(string message, string? path, Exception innerException)
        : base(message, innerException) => LibraryPath = path;

    internal FlagstoneLibraryException(string message, string? path, Version found, Version needed)
        : base(message, NativeCodes.StatusAbiMismatch)
    {
        LibraryPath = path;
        FoundAbi = found;
        NeededAbi = needed;
    }

    /// <summary>Value of <c>FLAGSTONE_LIBRARY_PATH</c>; null when it is not set and the runtime looked for the library.</summary>
    public string? LibraryPath { get; }

    /// <summary>ABI version of the library that was found; null when none could be asked.</summary>
    public Version? FoundAbi { get; }

    /// <summary>ABI version that this package needs, or a later minor one; null when no library could be asked.</summary>
    public Version? NeededAbi { get; }
}
