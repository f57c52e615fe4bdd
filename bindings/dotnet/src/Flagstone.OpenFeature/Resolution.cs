// Results of evaluations, from Flagstone's form to OpenFeature's.
using System.Collections.Generic;
using System.Globalization;
using OpenFeature.Constant;
using OpenFeature.Model;

namespace Flagstone.OpenFeature;

internal static class Resolution
{
    private const string Stale = "STALE";

    /// <summary>
    /// What OpenFeature tells of an evaluation: the variant is the index of the variation; the reason is LaunchDarkly's word, or
    /// STALE where the flag is not known to be true: the word is in the metadata then, as <c>reason</c>.
    /// </summary>
    internal static ResolutionDetails<TValue> Of<T, TValue>(
        string key, TValue value, in EvaluationDetail<T> detail, Dictionary<string, object> metadata)
    {
        string reason = Word(detail.Reason);
        ErrorType error = ErrorOf(detail.Reason);
        AddTo(metadata, detail);
        if (detail.IsStale && error == ErrorType.None)
        {
            metadata["reason"] = reason;
            reason = Stale;
        }
        return new ResolutionDetails<TValue>(
            key, value, error, reason, detail.VariationIndex?.ToString(CultureInfo.InvariantCulture), null, new ImmutableMetadata(metadata));
    }

    private static ErrorType ErrorOf(in EvaluationReason reason) => reason.Kind != EvaluationReasonKind.Error
        ? ErrorType.None
        : reason.ErrorKind switch
        {
            EvaluationErrorKind.ClientNotReady => ErrorType.ProviderNotReady,
            EvaluationErrorKind.FlagNotFound => ErrorType.FlagNotFound,
            EvaluationErrorKind.MalformedFlag => ErrorType.ParseError,
            EvaluationErrorKind.UserNotSpecified => ErrorType.TargetingKeyMissing,
            EvaluationErrorKind.WrongType => ErrorType.TypeMismatch,
            _ => ErrorType.General,
        };

    private static void AddTo<T>(Dictionary<string, object> metadata, in EvaluationDetail<T> detail)
    {
        EvaluationReason reason = detail.Reason;
        if (detail.VariationIndex is int variation)
        {
            metadata["variationIndex"] = variation;
        }
        if (reason.InExperiment)
        {
            metadata["inExperiment"] = true;
        }
        if (reason.RuleIndex is int rule)
        {
            metadata["ruleIndex"] = rule;
        }
        if (reason.RuleId is string id)
        {
            metadata["ruleId"] = id;
        }
        if (reason.PrerequisiteKey is string prerequisite)
        {
            metadata["prerequisiteKey"] = prerequisite;
        }
        if (reason.BigSegmentsStatus is BigSegmentsStatus status)
        {
            metadata["bigSegmentsStatus"] = status switch
            {
                BigSegmentsStatus.Healthy => "HEALTHY",
                BigSegmentsStatus.Stale => "STALE",
                BigSegmentsStatus.NotConfigured => "NOT_CONFIGURED",
                BigSegmentsStatus.StoreError => "STORE_ERROR",
                _ => "UNKNOWN",
            };
        }
        if (detail.IsStale)
        {
            metadata["stale"] = true;
        }
    }

    /// <summary>The kind of a reason; the short form has more in brackets.</summary>
    private static string Word(in EvaluationReason reason) => reason.ToString().Split('(')[0];
}
