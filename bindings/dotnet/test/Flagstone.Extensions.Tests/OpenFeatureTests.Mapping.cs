// What a program hands to OpenFeature, and what becomes of it: attributes, keys, what is tracked.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using System.Reflection;
using System.Text.Json;
using System.Threading;
using System.Threading.Channels;
using System.Threading.Tasks;
using Flagstone.OpenFeature;
using Flagstone.Tests.Support;
using OpenFeature;
using OpenFeature.Constant;
using OpenFeature.Model;
using Xunit;

namespace Flagstone.Extensions.Tests;

public sealed partial class OpenFeatureTests
{
    [Fact]
    public async Task What_is_tracked_reaches_the_events_and_the_environment_is_the_flag_set()
    {
        using LaunchDarkly launchDarkly = new(Flags.Bool("yes", 1, true));
        FlagstoneProvider provider = new(new FlagstoneOptions
        {
            SourceKind = SourceKind.Stream,
            SdkKey = LaunchDarkly.SdkKey,
            EndpointsRelay = launchDarkly.Url,
            LoggerFactory = _logger,
        }, s_long);
        FeatureClient client = await ProvidedAsync(provider);
        Assert.Equal(LaunchDarkly.EnvironmentId, (await client.GetBooleanDetailsAsync("yes", false, _ada)).FlagMetadata!.GetString("flagSetId"));
        client.Track("bought", _ada, TrackingEventDetails.Builder().SetValue(12.5).Set("colour", "red").Build());
        client.Track("looked", _ada);
        client.Track("nobody");
        Assert.True(await provider.Client.FlushAsync(s_long));
        Assert.Equal(
            [("bought", "12.5", """{"colour":"red"}"""), ("looked", "", "")],
            launchDarkly.Events().Where(told => told.GetProperty("kind").GetString() == "custom").Select(told => (
                told.GetProperty("key").GetString()!, Text(told, "metricValue"), Text(told, "data"))));
        Assert.Contains(_logger.Lines, line => line is { Category: "Flagstone.OpenFeature", Event.Name: "NotTracked" });

        static string Text(JsonElement told, string name) => told.TryGetProperty(name, out JsonElement value) ? value.GetRawText() : "";
    }

    [Theory]
    [InlineData("name,Ada", """{"key":"ada","kind":"user","name":"Ada"}""")]
    [InlineData("name,7", """{"key":"ada","kind":"user"}""")]
    [InlineData("anonymous,true", """{"anonymous":true,"key":"ada","kind":"user"}""")]
    [InlineData("anonymous,yes", """{"key":"ada","kind":"user"}""")]
    [InlineData("kind,device", """{"key":"ada","kind":"device"}""")]
    [InlineData("kind,7", """{"key":"ada","kind":"user"}""")]
    [InlineData("key,other", """{"key":"ada","kind":"user"}""")]
    [InlineData("email,a@b", """{"email":"a@b","key":"ada","kind":"user"}""")]
    [InlineData("_meta,a@b", """{"key":"ada","kind":"user"}""")]
    [InlineData("privateAttributes,email", """{"key":"ada","kind":"user"}""")]
    public async Task Attributes_are_mapped_as_LaunchDarklys_provider_maps_them(string attribute, string expected)
    {
        string[] parts = attribute.Split(',');
        Value value = parts[1] switch
        {
            "7" => new Value(7),
            "true" => new Value(true),
            string text => new Value(text),
        };
        Assert.Equal(expected, await MappedAsync(EvaluationContext.Builder().SetTargetingKey("ada").Set(parts[0], value).Build()));
    }

    [Fact]
    public async Task Values_within_values_moments_private_attributes_and_several_kinds_are_mapped_too()
    {
        Structure deep = Structure.Builder().Set("list", new Value([new Value(1), new Value()])).Build();
        EvaluationContext one = EvaluationContext.Builder().Set("key", "ada").Set("deep", deep)
            .Set("at", new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc)).Set("naive", new DateTime(2026, 1, 2, 0, 0, 0, DateTimeKind.Unspecified))
            .Set("privateAttributes", new Value([new Value("email"), new Value(5)])).Set("nothing", new Value()).Build();
        Assert.Equal(
            """{"_meta":{"privateAttributes":["email"]},"at":"2026-01-02T03:04:05Z","deep":{"list":[1,null]},"key":"ada","kind":"user","naive":"2026-01-02T00:00:00Z"}""",
            await MappedAsync(one));
        EvaluationContext several = EvaluationContext.Builder().Set("kind", "multi").Set("odd", 5)
            .Set("user", Structure.Builder().Set("targetingKey", "ada").Build())
            .Set("org", Structure.Builder().Set("key", "acme").Set("tier", 1).Build()).Build();
        Assert.Equal("""{"kind":"multi","org":{"key":"acme","tier":1},"user":{"key":"ada"}}""", await MappedAsync(several));
        foreach (EvaluationContext none in (EvaluationContext[])[
            EvaluationContext.Builder().Set("kind", "multi").Build(),
            EvaluationContext.Builder().SetTargetingKey("a").Set("kind", "not a kind").Build(),
            EvaluationContext.Builder().Set("kind", "multi").Set("user", Structure.Empty).Build()])
        {
            Assert.Null(await MappedAsync(none));
        }
        Assert.Contains(_logger.Lines, line => line is { Category: "Flagstone.OpenFeature", Event.Name: "NoContext" });
    }

    [Fact]
    public async Task A_key_beside_the_targeting_key_is_logged_once_for_a_provider()
    {
        FeatureClient client = await ProvidedAsync(new FlagstoneProvider(new FlagstoneOptions { TestData = _data, LoggerFactory = _logger }));
        EvaluationContext both = EvaluationContext.Builder().SetTargetingKey("ada").Set("key", "other").Build();
        Assert.True(await client.GetBooleanValueAsync("yes", false, both));
        Assert.True(await client.GetBooleanValueAsync("yes", false, both));
        Assert.Single(_logger.Lines, line => line is { Category: "Flagstone.OpenFeature", Event.Name: "OddAttribute" });
    }

    /// <summary>The context that a flag was evaluated for, its members in order; null when there was none.</summary>
    private async Task<string?> MappedAsync(EvaluationContext context)
    {
        Seeing seeing = new();
        FeatureClient client = await ProvidedAsync(new FlagstoneProvider(new FlagstoneOptions { TestData = _data, Hooks = [seeing], LoggerFactory = _logger }));
        await client.GetBooleanValueAsync("yes", false, context);
        if (seeing.Json is null)
        {
            return null;
        }
        SortedDictionary<string, JsonElement> members = new(StringComparer.Ordinal);
        foreach (JsonProperty member in JsonSerializer.Deserialize<JsonElement>(seeing.Json).EnumerateObject())
        {
            members[member.Name] = member.Value;
        }
        return JsonSerializer.Serialize(members);
    }
}
