// Why an evaluation gave what it gave, in the words of LaunchDarkly's SDKs.
using System;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Flagstone;

/// <summary>Why a flag has the value it has.</summary>
public enum EvaluationReasonKind
{
    /// <summary>The flag is off.</summary>
    Off = 0,

    /// <summary>No target and no rule matched.</summary>
    Fallthrough = 1,

    /// <summary>The context's key is targeted.</summary>
    TargetMatch = 2,

    /// <summary>A rule matched: <see cref="EvaluationReason.RuleIndex"/>, <see cref="EvaluationReason.RuleId"/>.</summary>
    RuleMatch = 3,

    /// <summary>A prerequisite was not met: <see cref="EvaluationReason.PrerequisiteKey"/>.</summary>
    PrerequisiteFailed = 4,

    /// <summary>The flag could not be evaluated: <see cref="EvaluationReason.ErrorKind"/>.</summary>
    Error = 5,

    /// <summary>A kind that this version of the package does not know.</summary>
    Unknown = -1,
}

/// <summary>Why a flag could not be evaluated.</summary>
public enum EvaluationErrorKind
{
    /// <summary>
    /// There is nothing to answer from. Daemon mode: Redis has not been read yet; otherwise: the data source has not delivered
    /// yet, and Redis has no last known flags; in both: nor has a snapshot file. Also with
    /// <see cref="FlagstoneOptions.Offline"/>, and after the client is closed with <see cref="CacheResidency.Off"/>.
    /// </summary>
    ClientNotReady = 1,

    /// <summary>There is no such flag.</summary>
    FlagNotFound = 2,

    /// <summary>No context was given.</summary>
    UserNotSpecified = 3,

    /// <summary>The flag's data contradict themselves.</summary>
    MalformedFlag = 4,

    /// <summary>The value is of another type than asked for.</summary>
    WrongType = 5,

    /// <summary>The flag, or something it depends on, could not be read; or the key is no text.</summary>
    Exception = 6,

    /// <summary>A kind that this version of the package does not know.</summary>
    Unknown = -1,
}

/// <summary>What became of the big segments that an evaluation consulted.</summary>
public enum BigSegmentsStatus
{
    /// <summary>The answer is up to date.</summary>
    Healthy = 1,

    /// <summary>The answer may be out of date.</summary>
    Stale = 2,

    /// <summary>There is no big-segment store, or the segment has no generation yet.</summary>
    NotConfigured = 3,

    /// <summary>The big-segment store could not be asked.</summary>
    StoreError = 4,

    /// <summary>A status that this version of the package does not know.</summary>
    Unknown = -1,
}

/// <summary>Why a flag has the value it has. Members that do not apply are null.</summary>
/// <remarks><c>System.Text.Json</c> writes and reads it in LaunchDarkly's form.</remarks>
[JsonConverter(typeof(EvaluationReasonJsonConverter))]
public readonly struct EvaluationReason : IEquatable<EvaluationReason>
{
    /// <summary>Makes a reason, for example for a test.</summary>
    /// <param name="kind">The kind of reason.</param>
    /// <param name="errorKind">See <see cref="ErrorKind"/>; as the other members, null where it does not apply.</param>
    /// <param name="ruleIndex">See <see cref="RuleIndex"/>.</param>
    /// <param name="ruleId">See <see cref="RuleId"/>.</param>
    /// <param name="prerequisiteKey">See <see cref="PrerequisiteKey"/>.</param>
    /// <param name="inExperiment">See <see cref="InExperiment"/>.</param>
    /// <param name="bigSegmentsStatus">See <see cref="BigSegmentsStatus"/>.</param>
    public EvaluationReason(
        EvaluationReasonKind kind,
        EvaluationErrorKind? errorKind = null,
        int? ruleIndex = null,
        string? ruleId = null,
        string? prerequisiteKey = null,
        bool inExperiment = false,
        BigSegmentsStatus? bigSegmentsStatus = null)
    {
        Kind = kind;
        ErrorKind = errorKind;
        RuleIndex = ruleIndex;
        RuleId = ruleId;
        PrerequisiteKey = prerequisiteKey;
        InExperiment = inExperiment;
        BigSegmentsStatus = bigSegmentsStatus;
    }

    /// <summary>The kind of reason.</summary>
    public EvaluationReasonKind Kind { get; }

    /// <summary>With <see cref="EvaluationReasonKind.Error"/>: what went wrong.</summary>
    public EvaluationErrorKind? ErrorKind { get; }

    /// <summary>With <see cref="EvaluationReasonKind.RuleMatch"/>: index of the rule, from 0.</summary>
    public int? RuleIndex { get; }

    /// <summary>With <see cref="EvaluationReasonKind.RuleMatch"/>: id of the rule, if it has one.</summary>
    public string? RuleId { get; }

    /// <summary>With <see cref="EvaluationReasonKind.PrerequisiteFailed"/>: key of the flag that was not as required.</summary>
    public string? PrerequisiteKey { get; }

    /// <summary>The context takes part in an experiment on this flag.</summary>
    public bool InExperiment { get; }

    /// <summary>Set when a big segment was consulted.</summary>
    public BigSegmentsStatus? BigSegmentsStatus { get; }

    /// <summary>The JSON form that LaunchDarkly uses: <c>{"kind":"RULE_MATCH","ruleIndex":0,"ruleId":"…"}</c>.</summary>
    /// <returns>JSON text.</returns>
    public string ToJsonString() => JsonText.Written(WriteTo);

    /// <summary>A short form for logs, for example <c>RULE_MATCH(0,r1)</c>.</summary>
    /// <returns>Text in the notation of LaunchDarkly's SDKs.</returns>
    public override string ToString() => Kind switch
    {
        EvaluationReasonKind.RuleMatch => RuleId is null ? $"RULE_MATCH({RuleIndex})" : $"RULE_MATCH({RuleIndex},{RuleId})",
        EvaluationReasonKind.PrerequisiteFailed => $"PREREQUISITE_FAILED({PrerequisiteKey})",
        EvaluationReasonKind.Error when ErrorKind is EvaluationErrorKind error => $"ERROR({ReasonForm.Name(error)})",
        _ => ReasonForm.Name(Kind),
    };

    /// <inheritdoc/>
    public bool Equals(EvaluationReason other) =>
        Kind == other.Kind && ErrorKind == other.ErrorKind && RuleIndex == other.RuleIndex && RuleId == other.RuleId
        && PrerequisiteKey == other.PrerequisiteKey && InExperiment == other.InExperiment
        && BigSegmentsStatus == other.BigSegmentsStatus;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is EvaluationReason other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() =>
        ((int)Kind * 397) ^ (RuleIndex ?? -1) ^ (RuleId is null ? 0 : StringComparer.Ordinal.GetHashCode(RuleId));

    /// <summary>Equality of all members.</summary>
    /// <param name="left">One reason.</param>
    /// <param name="right">The other.</param>
    /// <returns>Whether they are equal.</returns>
    public static bool operator ==(EvaluationReason left, EvaluationReason right) => left.Equals(right);

    /// <summary>Inequality of some member.</summary>
    /// <param name="left">One reason.</param>
    /// <param name="right">The other.</param>
    /// <returns>Whether they differ.</returns>
    public static bool operator !=(EvaluationReason left, EvaluationReason right) => !left.Equals(right);

    /// <summary>Writes the JSON form.</summary>
    internal void WriteTo(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("kind", ReasonForm.Name(Kind));
        if (ErrorKind is EvaluationErrorKind error)
        {
            writer.WriteString("errorKind", ReasonForm.Name(error));
        }
        if (RuleIndex is int index)
        {
            writer.WriteNumber("ruleIndex", index);
        }
        if (RuleId is not null)
        {
            writer.WriteString("ruleId", RuleId);
        }
        if (PrerequisiteKey is not null)
        {
            writer.WriteString("prerequisiteKey", PrerequisiteKey);
        }
        if (InExperiment)
        {
            writer.WriteBoolean("inExperiment", true);
        }
        if (BigSegmentsStatus is BigSegmentsStatus status)
        {
            writer.WriteString("bigSegmentsStatus", ReasonForm.Name(status));
        }
        writer.WriteEndObject();
    }
}
