// A big-segment store of the host's own, in place of Redis.
using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace Flagstone;

/// <summary>
/// Knows the members of big segments; set by <see cref="FlagstoneOptions.BigSegmentStore"/>. Asked by any number of threads at
/// once, on threads of the pool; answers are remembered as the options <c>BigSegments…</c> say.
/// </summary>
/// <remarks>
/// Evaluations wait for it, for <see cref="FlagstoneOptions.RedisCommandTimeoutMs"/> at most: then the token is cancelled. A store
/// that throws, is too slow or answers nonsense gives <see cref="BigSegmentsStatus.StoreError"/>; that is logged once until it
/// answers again. It belongs to the client, which disposes of it. It had better not evaluate with that client: it is not asked by
/// its own questions, so what such an evaluation does not remember is a <see cref="BigSegmentsStatus.StoreError"/>, and one for the
/// context that is asked about waits until the time is over. A store that refers to its client keeps it until the client is
/// disposed of.
/// </remarks>
public interface IBigSegmentStore : IDisposable
{
    /// <summary>How old the data are.</summary>
    /// <param name="cancellationToken">Cancelled when nobody waits any longer.</param>
    /// <returns>What is known about the store; null is as good as a store that was never brought up to date.</returns>
    Task<BigSegmentStoreMetadata?> GetMetadataAsync(CancellationToken cancellationToken);

    /// <summary>Which big segments include or exclude a context.</summary>
    /// <param name="contextHash">Base64 of the SHA-256 of the context's key.</param>
    /// <param name="cancellationToken">Cancelled when nobody waits any longer.</param>
    /// <returns>
    /// True for each segment that includes it, false for each that excludes it, by the segment's key, <c>.g</c> and its generation
    /// (<c>vip.g7</c>); null and empty: no big segment knows it.
    /// </returns>
    Task<IReadOnlyDictionary<string, bool>?> GetMembershipAsync(string contextHash, CancellationToken cancellationToken);
}

/// <summary>What is known about a big-segment store.</summary>
public sealed class BigSegmentStoreMetadata
{
    /// <summary>Makes an answer of <see cref="IBigSegmentStore.GetMetadataAsync"/>.</summary>
    /// <param name="lastUpToDate">See <see cref="LastUpToDate"/>.</param>
    public BigSegmentStoreMetadata(DateTimeOffset? lastUpToDate) => LastUpToDate = lastUpToDate;

    /// <summary>When it was last brought up to date; null: never.</summary>
    public DateTimeOffset? LastUpToDate { get; }
}

/// <summary>How the big-segment store stands, Redis or the host's own.</summary>
public sealed record BigSegmentStoreStatus
{
    internal BigSegmentStoreStatus(bool available, bool isStale, DateTimeOffset? lastUpToDate)
    {
        Available = available;
        IsStale = isStale;
        LastUpToDate = lastUpToDate;
    }

    /// <summary>It answered when it was last asked how old it is; false without a store.</summary>
    public bool Available { get; }

    /// <summary>
    /// It was never brought up to date, or not for <see cref="FlagstoneOptions.BigSegmentsStaleAfterMs"/>; false without a store.
    /// </summary>
    public bool IsStale { get; }

    /// <summary>
    /// When it was last brought up to date; null when that is not known. A time beyond the calendar is its first or last one.
    /// </summary>
    public DateTimeOffset? LastUpToDate { get; }
}

/// <summary>How the big-segment store stands has changed.</summary>
public sealed class BigSegmentStoreStatusChangedEventArgs : EventArgs
{
    internal BigSegmentStoreStatusChangedEventArgs(BigSegmentStoreStatus status, string reason)
    {
        Status = status;
        Reason = reason;
    }

    /// <summary>How it stands from this change on.</summary>
    public BigSegmentStoreStatus Status { get; }

    /// <summary>Why, for people.</summary>
    public string Reason { get; }
}
