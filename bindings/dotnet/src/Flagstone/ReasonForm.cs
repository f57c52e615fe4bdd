// The words of LaunchDarkly's SDKs for reasons, both ways.
using System;

namespace Flagstone;

internal static class ReasonForm
{
    private const string Unknown = "UNKNOWN";

    // Each in the order of its enumeration.
    private static readonly string[] s_kinds = ["OFF", "FALLTHROUGH", "TARGET_MATCH", "RULE_MATCH", "PREREQUISITE_FAILED", "ERROR"];

    private static readonly string[] s_errorKinds =
        ["CLIENT_NOT_READY", "FLAG_NOT_FOUND", "USER_NOT_SPECIFIED", "MALFORMED_FLAG", "WRONG_TYPE", "EXCEPTION"];

    private static readonly string[] s_bigSegmentsStatuses = ["HEALTHY", "STALE", "NOT_CONFIGURED", "STORE_ERROR"];

    internal static string Name(EvaluationReasonKind kind) => Name(s_kinds, (int)kind);

    internal static string Name(EvaluationErrorKind kind) => Name(s_errorKinds, (int)kind - 1);

    internal static string Name(BigSegmentsStatus status) => Name(s_bigSegmentsStatuses, (int)status - 1);

    internal static EvaluationReasonKind ToKind(string name) =>
        Index(s_kinds, name) is int index and >= 0 ? (EvaluationReasonKind)index : EvaluationReasonKind.Unknown;

    internal static EvaluationErrorKind ToErrorKind(string name) =>
        Index(s_errorKinds, name) is int index and >= 0 ? (EvaluationErrorKind)(index + 1) : EvaluationErrorKind.Unknown;

    internal static BigSegmentsStatus ToBigSegmentsStatus(string name) =>
        Index(s_bigSegmentsStatuses, name) is int index and >= 0 ? (BigSegmentsStatus)(index + 1) : BigSegmentsStatus.Unknown;

    private static string Name(string[] names, int index) => index >= 0 && index < names.Length ? names[index] : Unknown;

    private static int Index(string[] names, string name) => Array.IndexOf(names, name);
}
