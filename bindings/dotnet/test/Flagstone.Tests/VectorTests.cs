// The shared evaluation vectors, through Redis and the public interface.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading.Tasks;
using Flagstone.Tests.Support;
using Xunit;

namespace Flagstone.Tests;

public sealed class VectorTests(RedisServer server)
{
    private static readonly string s_data = Project.Root + "tests/data/";
    private static readonly JsonElement s_unreadable = Parse("\"UNREADABLE\"");

    [Fact]
    public async Task Every_vector_gives_the_expected_result()
    {
        Dictionary<int, JsonElement> expectations = File.ReadLines(s_data + "evaluation-expectations.jsonl").Select(Parse)
            .ToDictionary(line => line.GetProperty("id").GetInt32(), line => line.GetProperty("result"));
        List<string> failures = [];
        List<string> leftOut = [];
        int run = 0;
        foreach (JsonElement vector in File.ReadLines(s_data + "evaluation-vectors.jsonl").Select(Parse))
        {
            if (vector.TryGetProperty("big", out _))
            {
                leftOut.Add(vector.GetProperty("name").GetString()!); // daemon mode has no big-segment store yet
                continue;
            }
            run++;
            JsonElement expected = ExpectedOf(vector, expectations);
            JsonElement actual = await EvaluateAsync(vector);
            if (!JsonEquality.AreEqual(expected, actual))
            {
                failures.Add($"{vector.GetProperty("id")} {vector.GetProperty("name")}\n  expected {expected}\n  actual   {actual}");
            }
        }
        Assert.True(failures.Count == 0, string.Join("\n", failures));
        Assert.Equal((402, 7), (run, leftOut.Count));
        TestContext.Current.TestOutputHelper!.WriteLine($"left out, for they need a big-segment store: {string.Join(", ", leftOut)}");
    }

    private static JsonElement ExpectedOf(JsonElement vector, Dictionary<int, JsonElement> expectations)
    {
        JsonElement result = vector.GetProperty("allAgree").GetBoolean()
            ? vector.GetProperty("results").GetProperty("all")
            : expectations[vector.GetProperty("id").GetInt32()];
        if (result.ValueKind == JsonValueKind.String && result.GetString() is "REJECT_FLAG" or "REJECT_SEGMENT")
        {
            return s_unreadable;
        }
        if (result.ValueKind != JsonValueKind.Object)
        {
            return result;
        }
        // What becomes of prerequisites is not part of a client's answer.
        IEnumerable<string> members = result.EnumerateObject().Where(member => member.Name != "prereqEvents")
            .Select(member => $"{JsonSerializer.Serialize(member.Name)}:{member.Value.GetRawText()}");
        return Parse($"{{{string.Join(",", members)}}}");
    }

    private async Task<JsonElement> EvaluateAsync(JsonElement vector)
    {
        Context context;
        try
        {
            context = Context.FromJson(vector.GetProperty("context").GetRawText());
        }
        catch (ArgumentException)
        {
            return Parse("\"REJECT_CONTEXT\"");
        }
        if (!vector.TryGetProperty("flag", out JsonElement flag))
        {
            return Parse(
                $"{{\"contextJson\":{context.ToJsonString()},\"fullyQualifiedKey\":{JsonSerializer.Serialize(context.FullyQualifiedKey)}}}");
        }
        string prefix = $"vector{vector.GetProperty("id")}";
        server.Write(prefix, Items(vector, "flags"), Items(vector, "segments"));
        string key = flag.GetString()!;
        await using FlagstoneClient client = new(
            new FlagstoneOptions { RedisUrl = server.Url, RedisPrefix = prefix, CacheFreshness = CacheFreshness.Ttl });
        Assert.True(await client.StartAsync(TimeSpan.FromSeconds(30)));
        EvaluationDetail<JsonElement> detail = client.JsonVariationDetail(key, context, Parse("null"));
        EvaluationDetail<JsonElement> prepared = client.JsonFlag(key, Parse("null")).Detail(context);
        Assert.Equal((detail.Value.GetRawText(), detail.VariationIndex, detail.Reason),
            (prepared.Value.GetRawText(), prepared.VariationIndex, prepared.Reason));
        // What could not be read has no result in the vectors; through a client it is an error of its own.
        string index = detail.VariationIndex?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "null";
        return detail.Reason.ErrorKind == EvaluationErrorKind.Exception
            ? s_unreadable
            : Parse($"{{\"value\":{detail.Value.GetRawText()},\"variationIndex\":{index},\"reason\":{detail.Reason.ToJsonString()}}}");
    }

    private static Dictionary<string, string> Items(JsonElement vector, string name) =>
        vector.TryGetProperty(name, out JsonElement items)
            ? items.EnumerateObject().ToDictionary(item => item.Name, item => item.Value.GetRawText())
            : [];

    private static JsonElement Parse(string text)
    {
        using JsonDocument document = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = 1024 });
        return document.RootElement.Clone();
    }
}
