// Reads and writes where the stage of a migration says, and tells what became of it.
//
// Each origin runs on a thread of the pool, even if it blocks, so that nobody waits for one whose time is over or whose caller has
// given up. What it does after that is nobody's business; its token is cancelled.
using System;
using System.Diagnostics;
using System.Threading;
using System.Threading.Tasks;

namespace Flagstone;

/// <summary>
/// Carries out the reads and writes of a migration of data from an old to a new origin, as far as its flag says, and tells
/// LaunchDarkly what became of each. Made by <see cref="MigratorBuilder{TReadResult, TWriteResult, TReadInput, TWriteInput}"/>; usable
/// by any number of threads.
/// </summary>
/// <typeparam name="TReadResult">What a read gives.</typeparam>
/// <typeparam name="TWriteResult">What a write gives.</typeparam>
/// <typeparam name="TReadInput">What a read is given.</typeparam>
/// <typeparam name="TWriteInput">What a write is given.</typeparam>
public sealed class Migrator<TReadResult, TWriteResult, TReadInput, TWriteInput>
{
    private readonly MigrationPlan<TReadResult, TWriteResult, TReadInput, TWriteInput> _plan;

    internal Migrator(MigrationPlan<TReadResult, TWriteResult, TReadInput, TWriteInput> plan) => _plan = plan;

    /// <summary>Reads: the origin that counts, and at some stages the other one, too, to compare them.</summary>
    /// <param name="key">Key of the flag that says how far the migration is.</param>
    /// <param name="context">Who asks.</param>
    /// <param name="defaultStage">What is in force when the flag does not say.</param>
    /// <param name="input">What both origins are given.</param>
    /// <param name="cancellationToken">
    /// Ends the wait for every origin, also for one that takes no notice of it. Nothing is told of the operation then.
    /// </param>
    /// <returns>What the origin that counts gave; with its exception if it failed: the other one does not stand in for it.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such stage.</exception>
    /// <exception cref="InvalidOperationException">It was not said how to read.</exception>
    /// <exception cref="OperationCanceledException">The operation was cancelled.</exception>
    public async Task<MigrationResult<TReadResult>> ReadAsync(
        string key, Context? context, MigrationStage defaultStage, TReadInput input, CancellationToken cancellationToken = default)
    {
        Func<TReadInput, CancellationToken, Task<TReadResult>>[] read =
            _plan.Read ?? throw new InvalidOperationException("it was not said how to read");
        MigrationTracker tracker = Begin(key, context, defaultStage, MigrationOperation.Read, cancellationToken);
        MigrationOrigin first = tracker.Stage < MigrationStage.Live ? MigrationOrigin.Old : MigrationOrigin.New;
        MigrationResult<TReadResult> result = tracker.Stage is MigrationStage.Shadow or MigrationStage.Live
            ? await ReadBothAsync(tracker, first, origin => CallAsync(tracker, read, origin, input, cancellationToken))
                .ConfigureAwait(false)
            : await CallAsync(tracker, read, first, input, cancellationToken).ConfigureAwait(false);
        _plan.Client.TrackMigration(tracker);
        return result;
    }

    /// <summary>
    /// Writes: to the origin that counts, and at some stages then to the other one, unless the first write failed.
    /// </summary>
    /// <inheritdoc cref="ReadAsync"/>
    /// <returns>What became of both.</returns>
    /// <exception cref="InvalidOperationException">It was not said how to write.</exception>
    public async Task<MigrationWriteResult<TWriteResult>> WriteAsync(
        string key, Context? context, MigrationStage defaultStage, TWriteInput input, CancellationToken cancellationToken = default)
    {
        Func<TWriteInput, CancellationToken, Task<TWriteResult>>[] write =
            _plan.Write ?? throw new InvalidOperationException("it was not said how to write");
        MigrationTracker tracker = Begin(key, context, defaultStage, MigrationOperation.Write, cancellationToken);
        MigrationOrigin first = tracker.Stage < MigrationStage.Live ? MigrationOrigin.Old : MigrationOrigin.New;
        MigrationResult<TWriteResult> authoritative =
            await CallAsync(tracker, write, first, input, cancellationToken).ConfigureAwait(false);
        MigrationResult<TWriteResult>? other =
            tracker.Stage is not (MigrationStage.Off or MigrationStage.Complete) && authoritative.IsSuccessful
                ? await CallAsync(tracker, write, Other(first), input, cancellationToken).ConfigureAwait(false)
                : null;
        _plan.Client.TrackMigration(tracker);
        return new MigrationWriteResult<TWriteResult>(authoritative, other);
    }

    private MigrationTracker Begin(
        string key, Context? context, MigrationStage defaultStage, MigrationOperation operation, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        (_, MigrationTracker tracker) = _plan.Client.MigrationVariation(key, context, defaultStage);
        tracker.SetOperation(operation);
        return tracker;
    }

    private async Task<MigrationResult<TReadResult>> ReadBothAsync(
        MigrationTracker tracker, MigrationOrigin first, Func<MigrationOrigin, Task<MigrationResult<TReadResult>>> read)
    {
        MigrationOrigin begin = _plan.Order == MigrationExecutionOrder.Random && MigrationDice.IsHead() ? Other(first) : first;
        Task<MigrationResult<TReadResult>> one = read(begin);
        if (_plan.Order != MigrationExecutionOrder.Concurrent)
        {
            _ = await one.ConfigureAwait(false);
        }
        MigrationResult<TReadResult>[] both = await Task.WhenAll(one, read(Other(begin))).ConfigureAwait(false);
        (MigrationResult<TReadResult> authoritative, MigrationResult<TReadResult> other) =
            begin == first ? (both[0], both[1]) : (both[1], both[0]);
        if (authoritative.IsSuccessful && other.IsSuccessful && _plan.IsConsistent is not null && tracker.WantsCheck)
        {
            Compare(tracker, _plan.IsConsistent, authoritative.Value!, other.Value!);
        }
        return authoritative;
    }

    private void Compare(
        MigrationTracker tracker, Func<TReadResult, TReadResult, bool> isConsistent, TReadResult one, TReadResult other)
    {
#pragma warning disable CA1031 // the read has succeeded, whatever became of the comparison
        try
        {
            tracker.SetConsistent(isConsistent(one, other));
        }
        catch (Exception error)
        {
            (_plan.Client as FlagstoneClient)?.OnComparisonThrew(error);
        }
#pragma warning restore CA1031
    }

    private async Task<MigrationResult<T>> CallAsync<TInput, T>(
        MigrationTracker tracker,
        Func<TInput, CancellationToken, Task<T>>[] calls,
        MigrationOrigin origin,
        TInput input,
        CancellationToken cancellationToken)
    {
        tracker.SetInvoked(origin);
        Stopwatch watch = Stopwatch.StartNew();
        MigrationResult<T> result = await MigrationCall.ResultAsync(
            origin, token => calls[(int)origin](input, token), _plan.Timeout, cancellationToken).ConfigureAwait(false);
        if (_plan.TracksLatency)
        {
            tracker.SetLatency(origin, watch.Elapsed);
        }
        if (_plan.TracksErrors && !result.IsSuccessful)
        {
            tracker.SetError(origin);
        }
        return result;
    }

    private static MigrationOrigin Other(MigrationOrigin origin) =>
        origin == MigrationOrigin.Old ? MigrationOrigin.New : MigrationOrigin.Old;
}
