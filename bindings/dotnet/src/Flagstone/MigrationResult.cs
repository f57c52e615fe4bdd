// What became of an operation of a migration.
using System;

namespace Flagstone;

/// <summary>What one origin gave.</summary>
/// <typeparam name="T">Type of the value.</typeparam>
public sealed class MigrationResult<T>
{
    internal MigrationResult(MigrationOrigin origin, T value)
    {
        Origin = origin;
        Value = value;
    }

    internal MigrationResult(MigrationOrigin origin, Exception error)
    {
        Origin = origin;
        Exception = error;
    }

    /// <summary>The origin.</summary>
    public MigrationOrigin Origin { get; }

    /// <summary>Whether it gave a value.</summary>
    public bool IsSuccessful => Exception is null;

    /// <summary>The value; the default of its type after a failure.</summary>
    public T? Value { get; }

    /// <summary>Why it failed, a <see cref="TimeoutException"/> when its time was over; null when it did not.</summary>
    public Exception? Exception { get; }
}

/// <summary>What became of a write.</summary>
/// <typeparam name="T">Type of the value.</typeparam>
public sealed class MigrationWriteResult<T>
{
    internal MigrationWriteResult(MigrationResult<T> authoritative, MigrationResult<T>? nonauthoritative)
    {
        Authoritative = authoritative;
        Nonauthoritative = nonauthoritative;
    }

    /// <summary>Of the origin that counts, which was written first.</summary>
    public MigrationResult<T> Authoritative { get; }

    /// <summary>Of the other; null when it was not written: the stage does not want it, or the first write failed.</summary>
    public MigrationResult<T>? Nonauthoritative { get; }
}
