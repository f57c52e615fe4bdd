// Options: one property each, as in the header.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
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
            Listed().Keys.Select(ToPascalCase).Append("LoggerFactory").Order(StringComparer.Ordinal),
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
            property.SetValue(options, type == typeof(string) ? "text" : type.IsEnum ? Enum.ToObject(type, 1) : 7);
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
                "all" or "push" or "keep" => $"{property}.{ToPascalCase(listed)}",
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
        Refused(new FlagstoneOptions().Set("no.such.option", "1"), "no.such.option");
        Refused(new FlagstoneOptions().Set("cache.ttl_ms", "soon"), "cache.ttl_ms");
        Refused(new FlagstoneOptions().Set("\ud800", "soon"), "surrogate");
        Refused(new FlagstoneOptions { RedisUrl = "rediss://localhost", RedisTlsCaFile = "/missing.pem" }, "ca_file");
        Assert.Throws<ArgumentNullException>(() => new FlagstoneOptions().Set("redis.url", null!));
        Assert.Throws<ArgumentNullException>(() => new FlagstoneOptions().Set(null!, ""));
        Assert.Throws<ArgumentNullException>(() => new FlagstoneClient(null!));
    }

    [Fact]
    public void Passwords_are_not_shown()
    {
        FlagstoneOptions options = new() { RedisUrl = "http://user:geheim@localhost", RedisPassword = "geheim\ud800" };
        Assert.DoesNotContain("geheim", options.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("geheim", Refused(options, ""), StringComparison.Ordinal);
        options.RedisUrl = null;
        Assert.DoesNotContain("geheim", Refused(options, ""), StringComparison.Ordinal);
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

    [GeneratedRegex(@"^ \*   ([a-z_]+\.[a-z_.]+)\s+(\S+)", RegexOptions.Multiline)]
    private static partial Regex Option();
}
