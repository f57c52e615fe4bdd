// Options: one property each, as in the header.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Threading.Tasks;
using System.Xml.Linq;
using Flagstone.Tests.Support;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Flagstone.Tests;

public sealed partial class OptionsTests(RedisServer server)
{
    [Fact]
    public void Every_option_of_the_header_has_a_property_named_like_it()
    {
        Assert.Equal(
            Listed().Keys.Order(StringComparer.Ordinal),
            OptionTable.Options.Select(option => option.Name).Order(StringComparer.Ordinal));
        IEnumerable<string> properties = typeof(FlagstoneOptions).GetProperties().Select(property => property.Name);
        Assert.Equal(
            Listed().Keys.Select(ToPascalCase).Concat(["LoggerFactory", "TestData"]).Order(StringComparer.Ordinal),
            properties.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_option_is_taken_from_its_own_property()
    {
        foreach ((string name, Func<FlagstoneOptions, string?> value) in OptionTable.Options)
        {
            System.Reflection.PropertyInfo property = typeof(FlagstoneOptions).GetProperty(ToPascalCase(name))!;
            Type type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
            FlagstoneOptions options = new() { LoggerFactory = new ListLogger() };
            Assert.Null(value(options));
            property.SetValue(options, type switch
            {
                _ when type == typeof(string) => "text",
                _ when type == typeof(bool) => true,
                _ when type == typeof(IList<string>) => new List<string>(),
                _ when type == typeof(IDictionary<string, string>) => new Dictionary<string, string>(),
                _ => type.IsEnum ? Enum.ToObject(type, 1) : 7,
            });
            Assert.NotNull(value(options));
        }
    }

    [Fact]
    public void Every_property_is_documented_with_the_default_of_the_header()
    {
        XDocument documentation = XDocument.Load(Path.ChangeExtension(typeof(FlagstoneOptions).Assembly.Location, ".xml"));
        foreach ((string name, string listed) in Listed())
        {
            string property = ToPascalCase(name);
            string text = documentation.Descendants("member")
                .Single(member => member.Attribute("name")!.Value == $"P:Flagstone.FlagstoneOptions.{property}")
                .Element("summary")!.ToString().Replace("`", "", StringComparison.Ordinal);
            string word = listed switch
            {
                "(none)" => "none",
                "(built-in)" => "Mozilla",
                "info" => "LogLevel.Information",
                "none" => "SourceKind.None",
                "(LaunchDarkly's)" => "LaunchDarkly's",
                "(environment)" => "of the environment",
                "(by source)" => "by source",
                "all" or "push" or "keep" or "legacy" or "extended" or "fail" => $"{property}.{ToPascalCase(listed)}",
                _ => listed,
            };
            Assert.Contains("Default", text, StringComparison.Ordinal);
            Assert.Contains(word, text[text.LastIndexOf("Default", StringComparison.Ordinal)..], StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Options_are_set_by_property_and_by_name_and_the_name_wins()
    {
        using TestEnvironment environment = new(server);
        environment.Write(Flags.Bool("a", 1, true));
        FlagstoneClient client = await environment.StartAsync(options =>
        {
            options.RedisUrl = "redis://localhost:1";
            options.Set("redis.url", server.Url).Set("cache.ttl_ms", "500");
            options.CacheFreshness = CacheFreshness.Ttl;
        });
        Assert.True(client.BoolVariation("a", Context.New("u")));
        Assert.Equal("ttl", client.GetStatus().Freshness);
    }

    [Fact]
    public void Every_member_of_every_enumeration_is_a_word_that_the_library_takes()
    {
        foreach (CacheResidency residency in Enum.GetValues<CacheResidency>())
        {
            using FlagstoneClient client = new(new FlagstoneOptions { CacheResidency = residency });
        }
        foreach (CacheFreshness freshness in Enum.GetValues<CacheFreshness>())
        {
            using FlagstoneClient client = new(new FlagstoneOptions { CacheFreshness = freshness });
        }
        foreach (CacheOnWipe wipe in Enum.GetValues<CacheOnWipe>())
        {
            using FlagstoneClient client = new(new FlagstoneOptions { CacheOnWipe = wipe });
        }
        foreach (SourceKind kind in Enum.GetValues<SourceKind>())
        {
            using TestData data = new();
            using FlagstoneClient client = new(new FlagstoneOptions
            {
                SourceKind = kind,
                SdkKey = "sdk-key",
                FilePaths = ["flags.json"],
                TestData = kind == SourceKind.TestData ? data : null,
            });
        }
        foreach (RetryMode mode in Enum.GetValues<RetryMode>())
        {
            using FlagstoneClient client = new(new FlagstoneOptions { RetryMode = mode });
        }
        foreach (FileDuplicates duplicates in Enum.GetValues<FileDuplicates>())
        {
            using FlagstoneClient client = new(new FlagstoneOptions { FileDuplicates = duplicates });
        }
        foreach (LogLevel level in Enum.GetValues<LogLevel>())
        {
            using FlagstoneClient client = new(new FlagstoneOptions { LogLevel = level });
        }
    }

    [Fact]
    public void A_value_that_does_not_fit_is_refused_and_named()
    {
        Refused(new FlagstoneOptions { RedisUrl = "http://localhost" }, "redis.url");
        Refused(new FlagstoneOptions { RedisDatabase = -1 }, "redis.database");
        Refused(new FlagstoneOptions { CacheResidency = (CacheResidency)7 }, "cache.residency");
        Refused(new FlagstoneOptions { CacheTtlMs = 0 }, "cache.ttl_ms");
        Refused(new FlagstoneOptions { RefreshIntervalMs = int.MaxValue }, "refresh.interval_ms");
        Refused(new FlagstoneOptions { RedisPrefix = "\ud800" }, "surrogate");
        Refused(new FlagstoneOptions { SourceKind = (SourceKind)7 }, "source.kind");
        Refused(new FlagstoneOptions { SourceKind = SourceKind.Stream }, "sdk.key");
        Refused(new FlagstoneOptions { SourceKind = SourceKind.TestData }, "testdata");
        Refused(new FlagstoneOptions { SourceKind = SourceKind.File, FilePaths = [] }, "file.paths");
        Refused(new FlagstoneOptions { RetryMode = (RetryMode)2 }, "retry.mode");
        Refused(new FlagstoneOptions { FileDuplicates = (FileDuplicates)(-1) }, "file.duplicates");
        Refused(new FlagstoneOptions { PollIntervalMs = 0 }, "poll.interval_ms");
        Refused(new FlagstoneOptions { EndpointsRelay = "ftp://relay" }, "endpoints");
        Refused(new FlagstoneOptions { FilePaths = ["a", "\ud800"] }, "file.paths");
        Refused(new FlagstoneOptions { FilePaths = [null!] }, "file.paths");
        Refused(new FlagstoneOptions { HttpHeaders = new Dictionary<string, string> { ["X"] = null! } }, "http.headers");
        Dictionary<string, string> unnameable = new() { ["a b"] = "c" };
        Refused(new FlagstoneOptions { SourceKind = SourceKind.Stream, SdkKey = "k", HttpHeaders = unnameable }, "a b");
        Refused(new FlagstoneOptions().Set("file.paths", "no JSON"), "file.paths");
        Refused(new FlagstoneOptions().Set("no.such.option", "1"), "no.such.option");
        Refused(new FlagstoneOptions().Set("cache.ttl_ms", "soon"), "cache.ttl_ms");
        Refused(new FlagstoneOptions().Set("\ud800", "soon"), "surrogate");
        Refused(new FlagstoneOptions { RedisUrl = "rediss://localhost", RedisTlsCaFile = "/missing.pem" }, "ca_file");
        Assert.Throws<ArgumentNullException>(() => new FlagstoneOptions().Set("redis.url", null!));
        Assert.Throws<ArgumentNullException>(() => new FlagstoneOptions().Set(null!, ""));
        Assert.Throws<ArgumentNullException>(() => new FlagstoneClient(null!));
    }

    [Fact]
    public void Lists_and_maps_are_given_to_the_library_as_json()
    {
        FlagstoneOptions options = new()
        {
            FilePaths = ["one.json", "/två \"2\".json"],
            HttpHeaders = new Dictionary<string, string> { ["X-Team"] = "\\ \"red\"", ["X-Other"] = "" },
        };
        Assert.Equal(["one.json", "/två \"2\".json"], JsonSerializer.Deserialize<string[]>(Value("file.paths")!)!);
        Assert.Equal(options.HttpHeaders, JsonSerializer.Deserialize<Dictionary<string, string>>(Value("http.headers")!)!);
        using FlagstoneClient client = new(options);

        string? Value(string name) => OptionTable.Options.Single(option => option.Name == name).Value(options);
    }

    [Fact]
    public void Booleans_are_words_and_what_is_not_set_keeps_the_default()
    {
        FlagstoneOptions options = new() { PollAllowShort = true, StoreWrite = false };
        Assert.Equal(("true", "false", null), (Value("poll.allow_short"), Value("store.write"), Value("offline")));

        string? Value(string name) => OptionTable.Options.Single(option => option.Name == name).Value(options);
    }

    [Fact]
    public void Passwords_are_not_shown()
    {
        FlagstoneOptions options = new() { RedisUrl = "http://user:geheim@localhost", RedisPassword = "geheim\ud800" };
        Assert.DoesNotContain("geheim", options.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("geheim", Refused(options, ""), StringComparison.Ordinal);
        options.RedisUrl = null;
        Assert.DoesNotContain("geheim", Refused(options, ""), StringComparison.Ordinal);
        options.RedisPassword = null;
        options.HttpHeaders = new Dictionary<string, string> { ["Authorization"] = "geheim\ud800" };
        Assert.DoesNotContain("geheim", Refused(options, "http.headers"), StringComparison.Ordinal);
        options.SourceKind = SourceKind.Stream;
        options.SdkKey = "geheim";
        options.HttpHeaders = new Dictionary<string, string> { ["Authorization"] = "geheim\n" };
        Assert.DoesNotContain("geheim", Refused(options, "Authorization"), StringComparison.Ordinal);
    }

    private static string Refused(FlagstoneOptions options, string part)
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => new FlagstoneClient(options));
        Assert.Contains(part, error.Message, StringComparison.Ordinal);
        Assert.Equal("options", error.ParamName);
        return error.ToString();
    }

    private static Dictionary<string, string> Listed()
    {
        string header = File.ReadAllText(Project.Root + "include/flagstone.h");
        int start = header.IndexOf("OPTIONS (flagstone_config_set)", StringComparison.Ordinal);
        string part = header[start..header.IndexOf("#ifndef FLAGSTONE_H", StringComparison.Ordinal)];
        return Option().Matches(part).ToDictionary(match => match.Groups[1].Value, match => match.Groups[2].Value);
    }

    private static string ToPascalCase(string name) => string.Concat(
        name.Split('.', '_').Select(word => char.ToUpperInvariant(word[0]) + word[1..]));

    [GeneratedRegex(@"^ \*   (?!name )([a-z_]+(?:\.[a-z_]+)*) {2,}(\(.*?\)|\S+)", RegexOptions.Multiline)]
    private static partial Regex Option();
}
