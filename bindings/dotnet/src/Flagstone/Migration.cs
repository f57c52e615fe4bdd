// The words of migrations.
namespace Flagstone;

/// <summary>How far a migration of data from an old to a new origin is.</summary>
public enum MigrationStage
{
    /// <summary>Old alone is read and written. As a flag's value: <c>off</c>.</summary>
    Off = 0,

    /// <summary>Old is read; old, then new is written. <c>dualwrite</c>.</summary>
    DualWrite = 1,

    /// <summary>Both are read, old counts; old, then new is written. <c>shadow</c>.</summary>
    Shadow = 2,

    /// <summary>Both are read, new counts; new, then old is written. <c>live</c>.</summary>
    Live = 3,

    /// <summary>New is read; new, then old is written. <c>rampdown</c>.</summary>
    RampDown = 4,

    /// <summary>New alone is read and written. <c>complete</c>.</summary>
    Complete = 5,
}

/// <summary>What an operation of a migration does.</summary>
public enum MigrationOperation
{
    /// <summary>It reads.</summary>
    Read = 0,

    /// <summary>It writes.</summary>
    Write = 1,
}

/// <summary>Where data of a migration are.</summary>
public enum MigrationOrigin
{
    /// <summary>Where they come from.</summary>
    Old = 0,

    /// <summary>Where they go to.</summary>
    New = 1,
}

/// <summary>In which order a <see cref="Migrator{TReadResult, TWriteResult, TReadInput, TWriteInput}"/> reads two origins.</summary>
public enum MigrationExecutionOrder
{
    /// <summary>Both at once.</summary>
    Concurrent = 0,

    /// <summary>The one that counts, then the other.</summary>
    Serial = 1,

    /// <summary>One after the other, which one first by chance.</summary>
    Random = 2,
}
