// What one operation of a migration did.
using System;
using Flagstone.Handles;
using Flagstone.Interop;

namespace Flagstone;

/// <summary>
/// Gathers what one read or write of a migration did, to be told by <see cref="FlagstoneClient.TrackMigration"/>, once. Made by
/// <see cref="FlagstoneClient.MigrationVariation"/>; any thread may tell it something at any time.
/// </summary>
/// <remarks>
/// There is nothing to dispose of: its few bytes are given back when it is collected. Who uses a
/// <see cref="Migrator{TReadResult, TWriteResult, TReadInput, TWriteInput}"/> needs none.
/// </remarks>
public sealed class MigrationTracker
{
#pragma warning disable IDE0052 // gives the operation back when this object is gone
    private readonly MigrationHandle? _handle;
#pragma warning restore IDE0052
    private readonly IntPtr _native;

    /// <summary>Makes one that is told to nobody, for example for a test of what uses it.</summary>
    /// <param name="stage">Its stage.</param>
    public MigrationTracker(MigrationStage stage)
        : this(IntPtr.Zero, stage)
    {
    }

    /// <param name="native">The operation, owned; zero for one that nothing can be told of.</param>
    /// <param name="stage">Its stage.</param>
    internal MigrationTracker(IntPtr native, MigrationStage stage)
    {
        Stage = stage;
        _native = native;
        _handle = native == IntPtr.Zero ? null : new MigrationHandle(this, native);
    }

    /// <summary>The stage that the operation is to follow.</summary>
    public MigrationStage Stage { get; }

    /// <summary>
    /// Whether the results of both origins are to be compared if both are read: the flag's check ratio draws one in so many
    /// operations. Always the same answer.
    /// </summary>
    public bool WantsCheck
    {
        get
        {
            int answer = NativeMethods.flagstone_migration_wants_check(_native);
            GC.KeepAlive(this);
            return answer != 0;
        }
    }

    /// <summary>Says what the operation does; the last word counts.</summary>
    /// <param name="operation">A read or a write.</param>
    /// <exception cref="ArgumentException">It is neither, or the operation has been told.</exception>
    public unsafe void SetOperation(MigrationOperation operation)
    {
        IntPtr error = IntPtr.Zero;
        Check(_native == IntPtr.Zero ? 0 : NativeMethods.flagstone_migration_set_operation(_native, (int)operation, &error), error);
    }

    /// <summary>Says that an origin was asked.</summary>
    /// <param name="origin">The origin.</param>
    /// <exception cref="ArgumentException">There is no such origin, or the operation has been told.</exception>
    public unsafe void SetInvoked(MigrationOrigin origin)
    {
        IntPtr error = IntPtr.Zero;
        Check(_native == IntPtr.Zero ? 0 : NativeMethods.flagstone_migration_set_invoked(_native, (int)origin, &error), error);
    }

    /// <summary>Says that an origin failed.</summary>
    /// <inheritdoc cref="SetInvoked"/>
    public unsafe void SetError(MigrationOrigin origin)
    {
        IntPtr error = IntPtr.Zero;
        Check(_native == IntPtr.Zero ? 0 : NativeMethods.flagstone_migration_set_failed(_native, (int)origin, &error), error);
    }

    /// <summary>Says how long an origin took; the last word counts.</summary>
    /// <param name="origin">The origin.</param>
    /// <param name="latency">The time.</param>
    /// <exception cref="ArgumentException">
    /// There is no such origin, the time is negative, or the operation has been told.
    /// </exception>
    public unsafe void SetLatency(MigrationOrigin origin, TimeSpan latency)
    {
        IntPtr error = IntPtr.Zero;
        Check(
            _native == IntPtr.Zero
                ? 0
                : NativeMethods.flagstone_migration_set_latency(_native, (int)origin, latency.TotalMilliseconds, &error),
            error);
    }

    /// <summary>
    /// Says whether both origins gave the same; the last word counts. Nothing where <see cref="WantsCheck"/> is false.
    /// </summary>
    /// <param name="isConsistent">Whether they did.</param>
    /// <exception cref="ArgumentException">The operation has been told.</exception>
    public unsafe void SetConsistent(bool isConsistent)
    {
        IntPtr error = IntPtr.Zero;
        if (WantsCheck)
        {
            Check(NativeMethods.flagstone_migration_set_consistent(_native, isConsistent ? 1 : 0, &error), error);
        }
    }

    /// <summary>Tells it through a client.</summary>
    /// <returns>A native status; zero is success.</returns>
    internal unsafe int Track(IntPtr client, out IntPtr error)
    {
        IntPtr made = IntPtr.Zero;
        int status = NativeMethods.flagstone_migration_track(client, _native, &made);
        GC.KeepAlive(this);
        error = made;
        return status;
    }

    private void Check(int status, IntPtr error)
    {
        GC.KeepAlive(this);
        NativeResult.Check(status, error);
    }
}
