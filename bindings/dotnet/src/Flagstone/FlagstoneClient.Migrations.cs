// Flags that say how far a migration is, and what became of its operations.
using System;
using System.Runtime.CompilerServices;
using Flagstone.Interop;

namespace Flagstone;

public sealed partial class FlagstoneClient
{
    /// <summary>Evaluates a flag as the stage of a migration, and begins an operation of it.</summary>
    /// <remarks>
    /// The flag is one of strings: see <see cref="MigrationStage"/>. Never throws for what it is asked: whenever the flag gives
    /// no stage, the default is in force. The evaluation is counted as one of
    /// <see cref="StringVariation(string, Context?, string)"/>.
    /// </remarks>
    /// <param name="key">Key of the flag.</param>
    /// <param name="context">Who asks; null gives the default, and an operation that cannot be told.</param>
    /// <param name="defaultStage">What is in force on any problem.</param>
    /// <returns>
    /// The stage, and what gathers what the operation did, for <see cref="TrackMigration"/>; it may be dropped.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such stage.</exception>
    public (MigrationStage Stage, MigrationTracker Tracker) MigrationVariation(
        string key, Context? context, MigrationStage defaultStage)
    {
        string given = MigrationForm.Name(defaultStage);
        HookSeries series = HasHooks
            ? Before(key ?? "", context, JsonForm.Of(given), $"{nameof(FlagstoneClient)}.{nameof(MigrationVariation)}")
            : default;
        (MigrationTracker tracker, EvaluationDetail<string> detail) = Begin(key, context, defaultStage, given);
        After<string, StringValue>(series, detail);
        return (tracker.Stage, tracker);
    }

    /// <summary>
    /// Tells LaunchDarkly what an operation of a migration did, through the client that it was begun with. It is queued and sent
    /// with the next flush; the flag's sampling ratio may leave it out. Nothing happens without events.
    /// </summary>
    /// <remarks>
    /// Never throws: what cannot be told is logged, each kind of mistake once per client. Mistakes are an operation that was told
    /// already, that had no context or no key, that does not say whether it reads or writes, that asked no origin, or says
    /// something of an origin that was not asked; and a client that is disposed of.
    /// </remarks>
    /// <param name="tracker">The operation.</param>
    /// <exception cref="ArgumentNullException">It is null.</exception>
    public void TrackMigration(MigrationTracker tracker)
    {
        int status = (tracker ?? throw new ArgumentNullException(nameof(tracker))).Track(_native, out IntPtr error);
        GC.KeepAlive(this);
        switch (status)
        {
            case NativeCodes.StatusOk:
                break;
            case NativeCodes.StatusInvalidArgument:
                SayNotTold(NotTold.Migration, NativeResult.TakeMessage(error));
                break;
            case NativeCodes.StatusNullArgument:
                NativeResult.Discard(error);
                SayNotTold(NotTold.Name, "the key of its flag is null or cannot be written as UTF-8");
                break;
            default:
                SayNotTold(status, error);
                break;
        }
    }

    /// <summary>A migrator could not compare two results.</summary>
    internal void OnComparisonThrew(Exception error) => Log.ComparisonThrew(_logger, error);

    [SkipLocalsInit]
    private unsafe (MigrationTracker Tracker, EvaluationDetail<string> Detail) Begin(
        string? key, Context? context, MigrationStage defaultStage, string given)
    {
        byte* buffer = stackalloc byte[LentText.Capacity];
        if (key?.Length > Utf8.MaxKeyLength || !LentText.TryLend(key, buffer, out NativeText lent))
        {
            SayNoKey();
            return (new MigrationTracker(IntPtr.Zero, defaultStage), Details.Failed(given, EvaluationErrorKind.Exception));
        }
        NativeDetail detail = NativeDetail.New();
        IntPtr operation = IntPtr.Zero;
        IntPtr error = IntPtr.Zero;
        IntPtr native = Context.Acquire(context);
        int status = NativeMethods.flagstone_migration_variation(
            _native, native, lent.ptr, lent.len, (int)defaultStage, &detail, &operation, &error);
        Leave(context, native);
        LentText.TakeBack(lent, buffer);
        NativeResult.Discard(error);
        EvaluationDetail<string> taken = TakeDetail<string, StringValue>(&detail, given);
        return status == NativeCodes.StatusOk
            ? (new MigrationTracker(operation, (MigrationStage)NativeMethods.flagstone_migration_stage_of(operation)), taken)
            : (new MigrationTracker(IntPtr.Zero, defaultStage), Details.Failed(given, EvaluationErrorKind.Exception));
    }
}
