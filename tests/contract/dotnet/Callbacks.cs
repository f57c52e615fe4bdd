// A hook, a big-segment store and origins of migrations that are the harness itself.
using System.Collections.Immutable;
using System.Text.Json;

namespace Flagstone.ContractService;

internal sealed class CallbackHook(HookPart hook) : Hook(hook.Name)
{
    public override ImmutableDictionary<string, object?> BeforeEvaluation(
        EvaluationSeriesContext context, ImmutableDictionary<string, object?> data)
    {
        const string Stage = "beforeEvaluation";
        Tell(Stage, new { stage = Stage, evaluationSeriesContext = context, evaluationSeriesData = data });
        return With(data, Stage);
    }

    public override ImmutableDictionary<string, object?> AfterEvaluation(
        EvaluationSeriesContext context, ImmutableDictionary<string, object?> data, EvaluationDetail<JsonElement> detail)
    {
        const string Stage = "afterEvaluation";
        Tell(Stage, new { stage = Stage, evaluationSeriesContext = context, evaluationSeriesData = data, evaluationDetail = detail });
        return With(data, Stage);
    }

    public override void AfterTrack(TrackSeriesContext context) =>
        Tell("afterTrack", new { stage = "afterTrack", trackSeriesContext = context });

    private void Tell(string stage, object message)
    {
        if (hook.Errors?.GetValueOrDefault(stage) is string error)
        {
            throw new InvalidOperationException(error);
        }
        Harness.Post(hook.CallbackUri, message);
    }

    private ImmutableDictionary<string, object?> With(ImmutableDictionary<string, object?> data, string stage) =>
        (hook.Data?.GetValueOrDefault(stage) ?? []).Aggregate(data, (all, entry) => all.SetItem(entry.Key, entry.Value));
}

internal sealed class CallbackStore(string address) : IBigSegmentStore
{
    public async Task<BigSegmentStoreMetadata?> GetMetadataAsync(CancellationToken cancellationToken)
    {
        Uri question = new(address + "/getMetadata");
        MetadataAnswer answer = await Harness.AskAsync<MetadataAnswer>(question, new { }, cancellationToken);
        return answer.LastUpToDate is long time ? new(DateTimeOffset.FromUnixTimeMilliseconds(time)) : null;
    }

    public async Task<IReadOnlyDictionary<string, bool>?> GetMembershipAsync(string contextHash, CancellationToken cancellationToken)
    {
        Uri question = new(address + "/getMembership");
        return (await Harness.AskAsync<MembershipAnswer>(question, new { contextHash }, cancellationToken)).Values;
    }

    public void Dispose()
    {
    }

    private sealed record MetadataAnswer(long? LastUpToDate = null);

    private sealed record MembershipAnswer(Dictionary<string, bool>? Values = null);
}

/// <summary>Calls back to the harness while it waits for an answer.</summary>
internal static class Harness
{
    private static readonly HttpClient s_http = new();

    /// <summary>Posts JSON on the calling thread.</summary>
    /// <exception cref="HttpRequestException">It is not there, or does not want it.</exception>
    internal static void Post(Uri address, object message)
    {
        using HttpRequestMessage request = new(HttpMethod.Post, address) { Content = JsonContent.Create(message) };
        using HttpResponseMessage response = s_http.Send(request);
        response.EnsureSuccessStatusCode();
    }

    /// <summary>Posts JSON, and reads the JSON of the answer.</summary>
    /// <exception cref="HttpRequestException">It is not there, or does not want it.</exception>
    internal static async Task<T> AskAsync<T>(Uri address, object message, CancellationToken cancellationToken)
    {
        using HttpResponseMessage response = await s_http.PostAsJsonAsync(address, message, cancellationToken);
        response.EnsureSuccessStatusCode();
        return await response.Content.ReadFromJsonAsync<T>(cancellationToken) ?? throw new JsonException("the answer is null");
    }

    /// <summary>Posts a text, and gives the text of the answer.</summary>
    /// <exception cref="HttpRequestException">It is not there, or does not want it.</exception>
    internal static async Task<string> PostAsync(Uri address, string? text, CancellationToken cancellationToken)
    {
        using StringContent content = new(text ?? "");
        using HttpResponseMessage response = await s_http.PostAsync(address, content, cancellationToken);
        response.EnsureSuccessStatusCode();
        return await response.Content.ReadAsStringAsync(cancellationToken);
    }
}
