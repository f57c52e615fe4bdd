// Copies everything out of a filled native detail, which may be cleared afterwards.
namespace Flagstone.Interop;

internal static class Details
{
    internal static EvaluationDetail<T> Decode<T, TValue>(in NativeDetail detail, T defaultValue)
        where TValue : struct, IValueType<T> => new(
            Value<T, TValue>(detail, defaultValue),
            detail.variation_index >= 0 ? detail.variation_index : null,
            Reason(detail),
            (detail.flags & NativeCodes.DetailStale) != 0);

    internal static T Value<T, TValue>(in NativeDetail detail, T defaultValue)
        where TValue : struct, IValueType<T> =>
        (detail.flags & NativeCodes.DetailDefaulted) != 0 ? defaultValue : default(TValue).Read(detail, defaultValue);

    /// <summary>The result of an evaluation that never reached the library.</summary>
    internal static EvaluationDetail<T> Failed<T>(T defaultValue, EvaluationErrorKind kind) =>
        new(defaultValue, null, new EvaluationReason(EvaluationReasonKind.Error, kind));

    private static EvaluationReason Reason(in NativeDetail detail) => new(
        detail.reason is >= 0 and <= (int)EvaluationReasonKind.Error
            ? (EvaluationReasonKind)detail.reason
            : EvaluationReasonKind.Unknown,
        detail.error_kind switch
        {
            0 => null,
            >= 1 and <= (int)EvaluationErrorKind.Exception => (EvaluationErrorKind)detail.error_kind,
            _ => EvaluationErrorKind.Unknown,
        },
        detail.rule_index >= 0 ? detail.rule_index : null,
        Text(detail.rule_id),
        Text(detail.prerequisite_key),
        (detail.flags & NativeCodes.DetailInExperiment) != 0,
        detail.big_segments_status switch
        {
            0 => null,
            >= 1 and <= (int)BigSegmentsStatus.StoreError => (BigSegmentsStatus)detail.big_segments_status,
            _ => BigSegmentsStatus.Unknown,
        });

    private static unsafe string? Text(in NativeText text) => text.len != 0 ? TextCache.Get(text.ptr, text.len) : null;
}
