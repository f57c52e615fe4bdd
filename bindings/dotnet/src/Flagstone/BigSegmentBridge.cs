// What the library asks a big-segment store of the host's own, put to it.
//
// The library asks on the thread that evaluates, and waits without end. So the store runs on the pool, and this side waits for
// it: for a limited time, and whatever it does, a status comes back. The library keeps this object until its last client is
// gone; it knows none of them.
using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using Flagstone.Interop;
using Microsoft.Extensions.Logging;

namespace Flagstone;

internal sealed class BigSegmentBridge(IBigSegmentStore store, TimeSpan timeout, ILogger logger)
{
    private static readonly Dictionary<string, bool> s_none = [];

    private int _membershipFails;
    private int _metadataFails;
    private int _isEnded;

    /// <summary>Hands the memberships of a context to the library.</summary>
    /// <returns>A native status.</returns>
    internal unsafe int AnswerMembership(string contextHash, IntPtr membership)
    {
        if (!TryAsk(token => MembershipAsync(contextHash, token), ref _membershipFails, out List<(byte[], bool)> answer))
        {
            return NativeCodes.StatusStore;
        }
        foreach ((byte[] reference, bool isIncluded) in answer)
        {
            byte none = 0;
            fixed (byte* pointer = reference)
            {
                int status = NativeMethods.flagstone_membership_add(
                    membership, pointer is null ? &none : pointer, (nuint)reference.Length, isIncluded ? 1 : 0);
                if (status != NativeCodes.StatusOk)
                {
                    return status;
                }
            }
        }
        return NativeCodes.StatusOk;
    }

    /// <summary>Tells the library when the store was last brought up to date.</summary>
    /// <returns>A native status.</returns>
    internal int AnswerMetadata(out long lastUpToDateMs)
    {
        lastUpToDateMs = 0;
        if (!TryAsk(store.GetMetadataAsync, ref _metadataFails, out BigSegmentStoreMetadata? metadata))
        {
            return NativeCodes.StatusStore;
        }
        if (metadata?.LastUpToDate is not DateTimeOffset time)
        {
            return NativeCodes.StatusNotFound;
        }
        lastUpToDateMs = time.ToUnixTimeMilliseconds();
        return NativeCodes.StatusOk;
    }

    /// <summary>Disposes of the store, once. From then on it is not asked.</summary>
    internal void End()
    {
        if (Interlocked.Exchange(ref _isEnded, 1) == 0)
        {
#pragma warning disable CA1031 // the client ends all the same
            try
            {
                store.Dispose();
            }
            catch (Exception error)
            {
                Log.StoreNotDisposed(logger, error);
            }
#pragma warning restore CA1031
        }
    }

    /// <summary>A copy of the store's answer, which is whole and all text before the library gets any of it.</summary>
    private async Task<List<(byte[] Reference, bool IsIncluded)>> MembershipAsync(
        string contextHash, CancellationToken cancellationToken)
    {
        List<(byte[], bool)> answer = [];
        foreach (KeyValuePair<string, bool> entry in
            await store.GetMembershipAsync(contextHash, cancellationToken).ConfigureAwait(false) ?? s_none)
        {
            answer.Add((Utf8.Encode(entry.Key, "key", "the reference of a segment"), entry.Value));
        }
        return answer;
    }

    private bool TryAsk<T>(Func<CancellationToken, Task<T>> ask, ref int fails, out T answer)
    {
        answer = default!;
        if (Volatile.Read(ref _isEnded) != 0)
        {
            return false;
        }
#pragma warning disable CA1031 // nothing may be thrown into the library
        try
        {
            answer = Answer(ask);
            Volatile.Write(ref fails, 0);
            return true;
        }
        catch (Exception error)
        {
            // Once until it answers again: the library says the rest.
            if (Interlocked.Exchange(ref fails, 1) == 0)
            {
                Log.StoreThrew(logger, (error as AggregateException)?.InnerException ?? error);
            }
            return false;
        }
#pragma warning restore CA1031
    }

    private T Answer<T>(Func<CancellationToken, Task<T>> ask)
    {
#pragma warning disable CA2000 // a store that is given up may go on using it
        CancellationTokenSource stop = new();
#pragma warning restore CA2000
        // Not on this thread, which a store that blocks would keep.
        Task<T> asked = Task.Run(() => ask(stop.Token), CancellationToken.None);
        if (!asked.Wait((int)timeout.TotalMilliseconds))
        {
            Waiting.GiveUp(asked, stop);
            throw new TimeoutException($"it did not answer within {timeout.TotalMilliseconds} ms");
        }
        using (stop)
        {
            return asked.GetAwaiter().GetResult();
        }
    }
}
