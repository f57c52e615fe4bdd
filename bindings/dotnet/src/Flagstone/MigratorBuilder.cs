// Collects how both origins of a migration are read and written.
using System;
using System.Threading;
using System.Threading.Tasks;

namespace Flagstone;

/// <summary>
/// Describes a migration; every method but <see cref="Build"/> returns the builder. Belongs to one thread at a time.
/// </summary>
/// <typeparam name="TReadResult">What a read gives.</typeparam>
/// <typeparam name="TWriteResult">What a write gives.</typeparam>
/// <typeparam name="TReadInput">What a read is given.</typeparam>
/// <typeparam name="TWriteInput">What a write is given.</typeparam>
public sealed class MigratorBuilder<TReadResult, TWriteResult, TReadInput, TWriteInput>
{
    private readonly MigrationPlan<TReadResult, TWriteResult, TReadInput, TWriteInput> _plan;

    /// <summary>Begins a description.</summary>
    /// <param name="client">The client that knows the stage, and is told what became of operations.</param>
    public MigratorBuilder(IFlagstoneClient client) =>
        _plan = new() { Client = client ?? throw new ArgumentNullException(nameof(client)) };

    /// <summary>Says how to read. What a method throws is the failure of its origin.</summary>
    /// <param name="readOld">Reads the old origin.</param>
    /// <param name="readNew">Reads the new one.</param>
    /// <param name="isConsistent">
    /// Whether both gave the same; null: they are never compared. Called when both were read and succeeded, for the operations
    /// that the flag's check ratio draws.
    /// </param>
    /// <returns>This builder.</returns>
    public MigratorBuilder<TReadResult, TWriteResult, TReadInput, TWriteInput> Read(
        Func<TReadInput, CancellationToken, Task<TReadResult>> readOld,
        Func<TReadInput, CancellationToken, Task<TReadResult>> readNew,
        Func<TReadResult, TReadResult, bool>? isConsistent = null)
    {
        _ = readOld ?? throw new ArgumentNullException(nameof(readOld));
        _ = readNew ?? throw new ArgumentNullException(nameof(readNew));
        _plan.Read = [readOld, readNew];
        _plan.IsConsistent = isConsistent;
        return this;
    }

    /// <summary>Says how to write. What a method throws is the failure of its origin.</summary>
    /// <param name="writeOld">Writes to the old origin.</param>
    /// <param name="writeNew">Writes to the new one.</param>
    /// <returns>This builder.</returns>
    public MigratorBuilder<TReadResult, TWriteResult, TReadInput, TWriteInput> Write(
        Func<TWriteInput, CancellationToken, Task<TWriteResult>> writeOld,
        Func<TWriteInput, CancellationToken, Task<TWriteResult>> writeNew)
    {
        _ = writeOld ?? throw new ArgumentNullException(nameof(writeOld));
        _ = writeNew ?? throw new ArgumentNullException(nameof(writeNew));
        _plan.Write = [writeOld, writeNew];
        return this;
    }

    /// <summary>Says in which order both origins are read. Default: <see cref="MigrationExecutionOrder.Concurrent"/>.</summary>
    /// <param name="order">The order.</param>
    /// <returns>This builder.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such order.</exception>
    public MigratorBuilder<TReadResult, TWriteResult, TReadInput, TWriteInput> ReadExecutionOrder(MigrationExecutionOrder order)
    {
        _plan.Order = order is >= MigrationExecutionOrder.Concurrent and <= MigrationExecutionOrder.Random
            ? order
            : throw new ArgumentOutOfRangeException(nameof(order), order, "there is no such order");
        return this;
    }

    /// <summary>Says whether LaunchDarkly is told how long each origin took. Default: true.</summary>
    /// <param name="isTracked">Whether it is.</param>
    /// <returns>This builder.</returns>
    public MigratorBuilder<TReadResult, TWriteResult, TReadInput, TWriteInput> TrackLatency(bool isTracked)
    {
        _plan.TracksLatency = isTracked;
        return this;
    }

    /// <summary>Says whether LaunchDarkly is told which origin failed. Default: true.</summary>
    /// <param name="isTracked">Whether it is.</param>
    /// <returns>This builder.</returns>
    public MigratorBuilder<TReadResult, TWriteResult, TReadInput, TWriteInput> TrackErrors(bool isTracked)
    {
        _plan.TracksErrors = isTracked;
        return this;
    }

    /// <summary>
    /// Says how long an origin may take: then its token is cancelled, nobody waits for it any longer, and it has failed with a
    /// <see cref="TimeoutException"/>. Default: without limit.
    /// </summary>
    /// <param name="timeout">The time; <see cref="Timeout.InfiniteTimeSpan"/> is without limit.</param>
    /// <returns>This builder.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The time is not positive.</exception>
    public MigratorBuilder<TReadResult, TWriteResult, TReadInput, TWriteInput> OriginTimeout(TimeSpan timeout)
    {
        _plan.Timeout = timeout > TimeSpan.Zero || timeout == Timeout.InfiniteTimeSpan
            ? timeout
            : throw new ArgumentOutOfRangeException(nameof(timeout), timeout, "the time must be positive");
        return this;
    }

    /// <summary>Makes the migrator. The builder stays as it is and may build again.</summary>
    /// <returns>The migrator.</returns>
    /// <exception cref="InvalidOperationException">It can neither read nor write.</exception>
    public Migrator<TReadResult, TWriteResult, TReadInput, TWriteInput> Build() => _plan.Read is null && _plan.Write is null
        ? throw new InvalidOperationException("the migrator can neither read nor write")
        : new(_plan.Copy());
}

/// <summary>What a builder has collected.</summary>
internal sealed class MigrationPlan<TReadResult, TWriteResult, TReadInput, TWriteInput>
{
    internal required IFlagstoneClient Client { get; init; }

    /// <summary>By origin.</summary>
    internal Func<TReadInput, CancellationToken, Task<TReadResult>>[]? Read { get; set; }

    /// <summary>By origin.</summary>
    internal Func<TWriteInput, CancellationToken, Task<TWriteResult>>[]? Write { get; set; }

    internal Func<TReadResult, TReadResult, bool>? IsConsistent { get; set; }

    internal MigrationExecutionOrder Order { get; set; } = MigrationExecutionOrder.Concurrent;

    internal bool TracksLatency { get; set; } = true;

    internal bool TracksErrors { get; set; } = true;

    internal TimeSpan Timeout { get; set; } = System.Threading.Timeout.InfiniteTimeSpan;

    internal MigrationPlan<TReadResult, TWriteResult, TReadInput, TWriteInput> Copy() =>
        (MigrationPlan<TReadResult, TWriteResult, TReadInput, TWriteInput>)MemberwiseClone();
}
