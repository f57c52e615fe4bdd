// One call of one origin of a migration, which may throw, block, or never return.
using System;
using System.Threading;
using System.Threading.Tasks;

namespace Flagstone;

internal static class MigrationCall
{
    /// <exception cref="OperationCanceledException">The caller has given up.</exception>
    internal static async Task<MigrationResult<T>> ResultAsync<T>(
        MigrationOrigin origin, Func<CancellationToken, Task<T>> call, TimeSpan timeout, CancellationToken cancellationToken)
    {
#pragma warning disable CA2000 // a call that is given up may go on using it
        CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
#pragma warning restore CA2000
        Task<T> running = Task.Run(() => call(stop.Token), CancellationToken.None);
        try
        {
            if (!await Waiting.ForAsync(running, timeout, cancellationToken).ConfigureAwait(false))
            {
                Waiting.GiveUp(running, stop);
                return new MigrationResult<T>(origin, new TimeoutException($"the origin did not answer within {timeout}"));
            }
        }
        catch (OperationCanceledException)
        {
            Waiting.GiveUp(running, stop);
            throw;
        }
        using (stop)
        {
            return await ResultAsync(origin, running, cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<MigrationResult<T>> ResultAsync<T>(
        MigrationOrigin origin, Task<T> ended, CancellationToken cancellationToken)
    {
#pragma warning disable CA1031 // whatever it is, it is the origin's
        try
        {
            return new MigrationResult<T>(origin, await ended.ConfigureAwait(false));
        }
        catch (Exception error)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return new MigrationResult<T>(origin, error);
        }
#pragma warning restore CA1031
    }
}

/// <summary>Chance, for those who need no secret.</summary>
internal static class MigrationDice
{
    private static readonly Random s_random = new();

    internal static bool IsHead()
    {
        lock (s_random)
        {
#pragma warning disable CA5394 // see above
            return s_random.Next(2) == 0;
#pragma warning restore CA5394
        }
    }
}
