// The words of flags for the stages of a migration.
using System;

namespace Flagstone;

internal static class MigrationForm
{
    private static readonly string[] s_stages = ["off", "dualwrite", "shadow", "live", "rampdown", "complete"];

    /// <exception cref="ArgumentOutOfRangeException">It is none.</exception>
    internal static string Name(MigrationStage stage) => stage is >= MigrationStage.Off and <= MigrationStage.Complete
        ? s_stages[(int)stage]
        : throw new ArgumentOutOfRangeException(nameof(stage), stage, "there is no such stage");
}
