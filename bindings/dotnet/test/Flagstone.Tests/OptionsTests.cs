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
            Listed().Keys.Select(ToPascalCase).Concat(["LoggerFactory", "TestData", "Hooks", "Plugins", "BigSegmentStore", "RedisCredentialsProvider"])
                // Times have a twin.
                .SelectMany(name => name.EndsWith("Ms", StringComparison.Ordinal) ? [name, name[..^2]] : (string[])[name])
                .Order(StringComparer.Ordinal),
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
                _ when type == typeof(long) => 7L,
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
                "(redis.url)" => "FlagstoneOptions.RedisUrl",
                "(redis.prefix)" => "FlagstoneOptions.RedisPrefix",
                "(LaunchDarkly's)" => "LaunchDarkly's",
                "(environment)" => "of the environment",
                "(by source)" => "by source",
                "(AWS_REGION)" => "AWS_REGION",
                "static" => "RedisCredentialsSource.Static",
                "elasticache" => "RedisAwsService.ElastiCache",
                "ask" => "KeyspaceNotifications.Ask",
                "half_even" => "IntegerRounding.HalfEven",
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
        foreach (KeyspaceNotifications notifications in Enum.GetValues<KeyspaceNotifications>())
        {
            using FlagstoneClient client = new(new FlagstoneOptions { RedisKeyspaceNotifications = notifications });
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
        foreach (RedisCredentialsSource source in Enum.GetValues<RedisCredentialsSource>())
        {
            using FlagstoneClient client = new(new FlagstoneOptions
            {
                RedisCredentials = source,
                RedisUsername = "svc",
                RedisAwsCluster = "cache",
                RedisAwsRegion = "eu-north-1",
            });
        }
        foreach (RedisAwsService service in Enum.GetValues<RedisAwsService>())
        {
            using FlagstoneClient client = new(new FlagstoneOptions { RedisAwsService = service });
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
        Refused(new FlagstoneOptions { RedisUrl = "http://localhost" }, "RedisUrl");
        Refused(new FlagstoneOptions { RedisDatabase = -1 }, "RedisDatabase");
        Refused(new FlagstoneOptions { CacheResidency = (CacheResidency)7 }, "CacheResidency");
        Refused(new FlagstoneOptions { CacheTtlMs = 0 }, "CacheTtlMs");
        Refused(new FlagstoneOptions { RefreshIntervalMs = int.MaxValue }, "RefreshIntervalMs");
        Refused(new FlagstoneOptions { RedisPrefix = "\ud800" }, "surrogate");
        Refused(new FlagstoneOptions { SourceKind = (SourceKind)7 }, "SourceKind");
        Refused(new FlagstoneOptions { SourceKind = SourceKind.Stream }, "SdkKey");
        Refused(new FlagstoneOptions { SourceKind = SourceKind.TestData }, "testdata");
        Refused(new FlagstoneOptions { SourceKind = SourceKind.File, FilePaths = [] }, "FilePaths");
        Refused(new FlagstoneOptions { RetryMode = (RetryMode)2 }, "RetryMode");
        Refused(new FlagstoneOptions { FileDuplicates = (FileDuplicates)(-1) }, "FileDuplicates");
        Refused(new FlagstoneOptions { PollIntervalMs = 0 }, "PollIntervalMs");
        Refused(new FlagstoneOptions { EventsCapacity = 0 }, "EventsCapacity");
        Refused(new FlagstoneOptions { EventsFlushInterval = TimeSpan.Zero }, "EventsFlushIntervalMs");
        Refused(new FlagstoneOptions { EventsSpoolBytes = -1 }, "EventsSpoolBytes");
        Refused(new FlagstoneOptions { EventsPrivateAttributes = ["a", null!] }, "EventsPrivateAttributes");
        Refused(new FlagstoneOptions().Set("events.queue_capacity", "1"), "NotificationsCapacity");
        Refused(new FlagstoneOptions { EndpointsRelay = "ftp://relay" }, "Endpoints");
        Refused(new FlagstoneOptions { FilePaths = ["a", "\ud800"] }, "FilePaths");
        Refused(new FlagstoneOptions { FilePaths = [null!] }, "FilePaths");
        Refused(new FlagstoneOptions { HttpHeaders = new Dictionary<string, string> { ["X"] = null! } }, "HttpHeaders");
        Dictionary<string, string> unnameable = new() { ["a b"] = "c" };
        Refused(new FlagstoneOptions { SourceKind = SourceKind.Stream, SdkKey = "k", HttpHeaders = unnameable }, "a b");
        Refused(new FlagstoneOptions().Set("file.paths", "no JSON"), "file.paths");
        Refused(new FlagstoneOptions().Set("no.such.option", "1"), "no.such.option");
        Refused(new FlagstoneOptions().Set("cache.ttl_ms", "soon"), "cache.ttl_ms");
        Refused(new FlagstoneOptions().Set("\ud800", "soon"), "surrogate");
        Refused(new FlagstoneOptions { RedisUrl = "rediss://localhost", RedisTlsCaFile = "/missing.pem" }, "RedisTlsCaFile");
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
        Assert.DoesNotContain("geheim", Refused(options, "HttpHeaders"), StringComparison.Ordinal);
        options.SourceKind = SourceKind.Stream;
        options.SdkKey = "geheim";
        options.HttpHeaders = new Dictionary<string, string> { ["Authorization"] = "geheim\n" };
        Assert.DoesNotContain("geheim", Refused(options, "Authorization"), StringComparison.Ordinal);
    }

    [Fact]
    public void What_can_only_be_a_mistake_is_refused_when_the_client_is_made()
    {
        Refused(new FlagstoneOptions { RedisUrl = "" }, "RedisUrl: it is empty");
        Refused(new FlagstoneOptions().Set("redis.url", " "), "RedisUrl: it is empty");
        using TestData data = new();
        foreach (SourceKind other in (SourceKind[])[SourceKind.Stream, SourceKind.Poll, SourceKind.File, SourceKind.None])
        {
            Refused(new FlagstoneOptions { TestData = data, SourceKind = other, SdkKey = "k", FilePaths = ["f"] }, "TestData: ");
        }
        Refused(new FlagstoneOptions { TestData = data, SdkKey = "k" }.Set("source.kind", "stream"), "TestData: ");
        using FlagstoneClient client = new(new FlagstoneOptions { TestData = data, SourceKind = SourceKind.TestData });
        foreach (string proxy in (string[])["proxy", "proxy:3128", "http://", "ftp://proxy:1", "", "http://geheim@ x"])
        {
            Assert.DoesNotContain(
                "geheim", Refused(new FlagstoneOptions { HttpProxy = proxy }, "HttpProxy: "), StringComparison.Ordinal);
        }
        foreach (RedisCredentialsSource other in (RedisCredentialsSource[])[RedisCredentialsSource.Static, RedisCredentialsSource.AwsIam])
        {
            Refused(
                new FlagstoneOptions { RedisCredentialsProvider = _ => default, RedisCredentials = other }, "RedisCredentialsProvider: ");
        }
        string missing = Path.Combine(Path.GetTempPath(), "no such folder", "flags");
        Refused(new FlagstoneOptions { SnapshotFile = missing }, "SnapshotFile: there is no folder");
        Refused(new FlagstoneOptions { SnapshotFile = Path.GetTempPath() }, "SnapshotFile: ");
        Refused(new FlagstoneOptions { EventsSpool = Project.Library }, "EventsSpool: ");
        Refused(new FlagstoneOptions { RedisConnectTimeout = TimeSpan.FromSeconds(-1) }, "RedisConnectTimeoutMs");
        Refused(new FlagstoneOptions { RedisPingMs = 0 }, "RedisPingMs");
        Refused(new FlagstoneOptions { RedisUrl = "http://localhost" }, "RedisUrl");
        Refused(new FlagstoneOptions { RedisPassword = "\ud800" }, "RedisPassword");
    }

    [Fact]
    public void What_is_said_of_options_together_begins_with_a_property()
    {
        Refused(new FlagstoneOptions { RedisTlsSkipVerify = true }, "RedisUrl: RedisTls* options need");
        Refused(new FlagstoneOptions { BigSegmentsUrl = "rediss://x", RedisTlsServerName = "x" }, "RedisUrl: RedisTls* options need");
        Refused(new FlagstoneOptions { RedisUrl = "redis+cluster://x", RedisDatabase = 3 }, "RedisDatabase: ");
        foreach (string name in (string[])["", "a b", "a\n", "host"])
        {
            FlagstoneOptions options = new() { SourceKind = SourceKind.Stream, SdkKey = "k" };
            options.HttpHeaders = new Dictionary<string, string> { [name] = "v" };
            Refused(options, "HttpHeaders: the header ");
        }
        FlagstoneOptions named = new FlagstoneOptions { SourceKind = SourceKind.Stream, SdkKey = "k" }.Set("http.headers", """{"":"v"}""");
        Assert.DoesNotContain("HttpHeaders", Refused(named, "the header "), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("localhost:6379,password=geheim", "redis://:<password>@localhost:6379")]
    [InlineData("a:1,b:2,user=u,password=geheim,ssl=True,abortConnect=false,defaultDatabase=3", "rediss://u:<password>@a:1/3")]
    [InlineData("localhost", "redis://localhost")]
    [InlineData("password=geheim", "redis://:<password>@host:6379")]
    [InlineData("user:geheim@host", "redis://host:6379")]
    [InlineData("a,b:2,serviceName=main", "redis+sentinel://a,b:2/main")]
    [InlineData(
        "a,b,serviceName=main,user=u,password=geheim,ssl=true,defaultDatabase=3,sentinelUser=s,sentinelPassword=geheim",
        "rediss+sentinel://u:<password>@a,b/main/3?sentinel_user=s&sentinel_password=<password>")]
    public void A_configuration_string_of_stackexchange_redis_is_answered_with_the_url_to_write(string text, string url)
    {
        string message = Refused(new FlagstoneOptions { RedisUrl = text }, $"RedisUrl: it is no URL; write {url}");
        Assert.DoesNotContain("geheim", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_address_of_the_page_about_them_makes_a_client()
    {
        string[] forms = [.. Rows().SelectMany(row => Address().Matches(row[^1]).Select(match => match.Value)).Distinct()];
        Assert.True(forms.Length >= 12);
        foreach (string scheme in (string[])["redis://", "rediss://", "unix://", "redis+sentinel://", "rediss+sentinel://"])
        {
            Assert.Contains(forms, form => form.StartsWith(scheme, StringComparison.Ordinal));
        }
        foreach (string form in forms)
        {
            using FlagstoneClient client = new(new FlagstoneOptions { RedisUrl = form });
            RedisStatus redis = client.GetStatus().Redis!;
            Assert.Equal(form.Contains("+sentinel", StringComparison.Ordinal), redis.Topology == "sentinel");
            Assert.Equal(redis.Topology == "sentinel" ? "main" : null, redis.Service);
        }
    }

    [Fact]
    public void The_page_about_addresses_says_the_same_of_stackexchange_redis()
    {
        string[][] rows = [.. Rows().Where(row => row[0] == "StackExchange.Redis")];
        Assert.NotEmpty(rows);
        foreach (string[] row in rows)
        {
            string url = Address().Match(row[^1]).Value;
            string shown = Regex.Replace(url, @"(?<=://\w*:)\w+(?=@)|(?<=_password=)\w+", "<password>");
            Refused(new FlagstoneOptions { RedisUrl = row[1].Split('`')[1] }, $"RedisUrl: it is no URL; write {shown}");
        }
    }

    [Theory]
    [InlineData("redis://geheim:geheim@a,b", "redis+sentinel")]
    [InlineData("redis+sentinel://:geheim@s1,s2", "service")]
    [InlineData("redis+sentinel://s1/main?read=sometimes", "read")]
    [InlineData("redis://h?read=prefer-replica", "read")]
    [InlineData("redis://h?no_such_option=geheim", "no_such_option")]
    [InlineData("http://geheim:geheim@h", "rediss://")]
    public void An_address_that_is_none_is_refused_by_the_name_of_the_property(string url, string part)
    {
        string message = Refused(new FlagstoneOptions { RedisUrl = url }, "RedisUrl");
        Assert.StartsWith("System.ArgumentException: RedisUrl: ", message, StringComparison.Ordinal);
        Assert.Contains(part, message, StringComparison.Ordinal);
        Assert.DoesNotContain("geheim", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Times_have_a_twin()
    {
        int twins = 0;
        foreach (System.Reflection.PropertyInfo twin in typeof(FlagstoneOptions).GetProperties())
        {
            if (twin.PropertyType != typeof(TimeSpan?))
            {
                continue;
            }
            twins++;
            System.Reflection.PropertyInfo milliseconds = typeof(FlagstoneOptions).GetProperty(twin.Name + "Ms")!;
            FlagstoneOptions options = new();
            Assert.Null(twin.GetValue(options));
            foreach ((TimeSpan? time, int? expected) in new (TimeSpan?, int?)[]
            {
                (TimeSpan.FromSeconds(3), 3000), (TimeSpan.FromTicks(1), 1), (TimeSpan.Zero, 0), (TimeSpan.MaxValue, int.MaxValue),
                (TimeSpan.MinValue, int.MinValue), (null, null),
            })
            {
                twin.SetValue(options, time);
                Assert.Equal(expected, milliseconds.GetValue(options));
            }
            milliseconds.SetValue(options, 250);
            Assert.Equal(TimeSpan.FromMilliseconds(250), twin.GetValue(options));
        }
        Assert.Equal(OptionTable.Options.Count(option => option.Name.EndsWith("_ms", StringComparison.Ordinal)), twins);
    }

    private static string Refused(FlagstoneOptions options, string part)
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => new FlagstoneClient(options));
        Assert.Contains(part, error.Message, StringComparison.Ordinal);
        Assert.Equal("options", error.ParamName);
        return error.ToString();
    }

    /// <summary>The rows of the tables in the page about addresses.</summary>
    private static IEnumerable<string[]> Rows() => File.ReadLines(Project.Root + "docs/redis-addresses.md")
        .Where(line => line.StartsWith("| ", StringComparison.Ordinal))
        .Select(line => line.Trim('|', ' ').Split(" | "));

    private static Dictionary<string, string> Listed()
    {
        string header = File.ReadAllText(Project.Root + "include/flagstone.h");
        int start = header.IndexOf("OPTIONS (flagstone_config_set)", StringComparison.Ordinal);
        string part = header[start..header.IndexOf("#ifndef FLAGSTONE_H", StringComparison.Ordinal)];
        return Option().Matches(part).ToDictionary(match => match.Groups[1].Value, match => match.Groups[2].Value);
    }

    private static string ToPascalCase(string name) => string.Concat(
        name.Split('.', '_').Select(word => char.ToUpperInvariant(word[0]) + word[1..]));

    [GeneratedRegex(@"^ \*   (?!name )([a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*) {2,}(\(.*?\)|\S+)", RegexOptions.Multiline)]
    private static partial Regex Option();

    [GeneratedRegex(@"(?<=`)(redis|rediss|valkey|valkeys|unix)[+\w]*://[^`]+(?=`)")]
    private static partial Regex Address();
}
