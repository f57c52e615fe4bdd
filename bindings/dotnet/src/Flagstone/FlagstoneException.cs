// What the library refuses, where the exceptions of .NET say too little.
using System;

namespace Flagstone;

/// <summary>
/// A call failed inside the library or its environment. Values that are not allowed are an <see cref="ArgumentException"/>, and
/// calls after <see cref="FlagstoneClient.Dispose"/> an <see cref="ObjectDisposedException"/>; evaluation never throws.
/// </summary>
public class FlagstoneException : Exception
{
    /// <summary>Makes an exception without a message.</summary>
    public FlagstoneException()
    {
    }

    /// <summary>Makes an exception.</summary>
    /// <param name="message">For people.</param>
    public FlagstoneException(string message)
        : base(message)
    {
    }

    /// <summary>Makes an exception.</summary>
    /// <param name="message">For people.</param>
    /// <param name="innerException">The cause.</param>
    public FlagstoneException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    internal FlagstoneException(string message, int statusCode)
        : base(message) => StatusCode = statusCode;

    /// <summary>
    /// Number of the native status code (<c>FLAGSTONE_STATUS_…</c>); 0 when the call never reached the library.
    /// </summary>
    public int StatusCode { get; }
}
