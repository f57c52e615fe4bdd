// Options out of the configuration: spelt in several ways, and refused by the name of the setting.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading.Tasks;
using Flagstone.Extensions.Hosting;
using Flagstone.Tests.Support;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Xunit;

namespace Flagstone.Extensions.Tests;

public sealed class SettingsTests(RedisServer server)
{
    [Fact]
    public void Settings_of_every_type_are_read_however_they_are_split()
    {
        (FlagstoneOptions options, FlagstoneHostingOptions hosting) = Read("""
            {"Flagstone": {
                "SdkKey": "sdk-1",
                "Redis": { "Url": "rediss://localhost:7000", "Tls": { "SkipVerify": true }, "CommandTimeout": "00:00:03", "ping_ms": 500 },
                "RedisPrefix": "p",
                "redis.keyspace_notifications": "assume",
                "Cache": { "Residency": "Lazy", "Capacity": 50 },
                "Evaluation": { "IntegerRounding": "half_even" },
                "Events": { "PrivateAttributes": [ "email", "/address/street" ], "SpoolBytes": 5000000000 },
                "Http": { "Headers": { "X-One": "1", "X-Two": "2" } },
                "Log": { "Level": "warning" },
                "StartTimeout": "00:00:07",
                "FailWithoutFlags": true,
                "Activity": { "Events": "true" }
            }}
            """);
        Assert.Equal(("sdk-1", "rediss://localhost:7000", "p"), (options.SdkKey, options.RedisUrl, options.RedisPrefix));
        Assert.Equal((true, 3000, 500), (options.RedisTlsSkipVerify, options.RedisCommandTimeoutMs, options.RedisPingMs));
        Assert.Equal(
            (KeyspaceNotifications.Assume, CacheResidency.Lazy, 50, IntegerRounding.HalfEven),
            (options.RedisKeyspaceNotifications, options.CacheResidency, options.CacheCapacity, options.EvaluationIntegerRounding));
        Assert.Equal(["email", "/address/street"], options.EventsPrivateAttributes);
        Assert.Equal(5_000_000_000, options.EventsSpoolBytes);
        Assert.Equal(("1", "2"), (options.HttpHeaders!["X-One"], options.HttpHeaders["X-Two"]));
        Assert.Equal(Microsoft.Extensions.Logging.LogLevel.Warning, options.LogLevel);
        Assert.Equal((TimeSpan.FromSeconds(7), true, true), (hosting.StartTimeout, hosting.FailWithoutFlags, hosting.ActivityEvents));
    }

    [Theory]
    [InlineData("""{"Redis":{"Ulr":"redis://x"}}""", "Flagstone:Redis:Ulr: there is no such setting; did you mean RedisUrl?")]
    [InlineData("""{"Colour":"red"}""", "Flagstone:Colour: there is no such setting")]
    [InlineData("""{"Redis":{"Url":""}}""", "Flagstone:Redis:Url: it is empty; null is the default")]
    [InlineData("""{"RedisUrl":"localhost:6379,password=p"}""", "Flagstone:RedisUrl: it is no URL; write redis://:<password>@localhost:6379")]
    [InlineData("""{"Redis":{"CommandTimeoutMs":-5}}""", "Flagstone:Redis:CommandTimeoutMs: ")]
    [InlineData("""{"Redis":{"CommandTimeout":"-00:00:05"}}""", "Flagstone:Redis:CommandTimeout: ")]
    [InlineData("""{"Redis":{"CommandTimeout":"5"}}""", "Flagstone:Redis:CommandTimeout: it must be a time, such as 00:00:05")]
    [InlineData("""{"Redis":{"Database":"two"}}""", "Flagstone:Redis:Database: it must be a whole number of 32 bits")]
    [InlineData("""{"Redis":{"Url":"redis://a"},"RedisUrl":"redis://b"}""", "one of them is enough")]
    [InlineData("""{"Cache":{"Residency":"some"}}""", "Flagstone:Cache:Residency: it must be one of All, Lazy, Off")]
    [InlineData("""{"Cache":{"Residency":"7"}}""", "Flagstone:Cache:Residency: it must be one of All, Lazy, Off")]
    [InlineData("""{"Offline":"perhaps"}""", "Flagstone:Offline: it must be true or false")]
    [InlineData("""{"File":{"Paths":"a.json"}}""", "Flagstone:File:Paths: it must be a list")]
    [InlineData("""{"Events":{"Enabled":true}}""", "Flagstone:Events:Enabled")]
    [InlineData("""{"StartTimeout":"-00:00:01"}""", "Flagstone:StartTimeout: the time must be from 0 to a day, and is -00:00:01")]
    [InlineData("""{"Redis":{"Tls":{"CaFile":"/none/ca.pem"},"Url":"rediss://localhost"}}""", "Flagstone:Redis:Tls:CaFile")]
    public async Task What_is_wrong_keeps_the_host_from_starting_and_names_the_setting(string section, string message)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration.AddJsonStream(Json($$"""{"Flagstone":{{section}}}"""));
        builder.Services.AddFlagstone(builder.Configuration.GetSection("Flagstone"));
        using IHost host = builder.Build();
        OptionsValidationException error = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Everything_that_is_wrong_is_said_at_once_with_the_name_of_the_client()
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration.AddJsonStream(Json("""{"Eu":{"Ofline":true,"Cache":{"Ttl":"soon"}}}"""));
        builder.Services.AddKeyedFlagstone("eu", builder.Configuration.GetSection("Eu"));
        using IHost host = builder.Build();
        OptionsValidationException error = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());
        Assert.Equal(
            [
                "Eu:Cache:Ttl: it must be a time, such as 00:00:05 (client 'eu')",
                "Eu:Ofline: there is no such setting; did you mean Offline? (client 'eu')",
            ],
            error.Failures.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task What_is_wrong_in_code_is_named_as_the_property_and_no_secret_is_shown()
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration.AddJsonStream(Json("""{"Flagstone":{"Redis":{"Database":"hunter2"}}}"""));
        builder.Services.AddKeyedFlagstone("section", builder.Configuration.GetSection("Flagstone"));
        builder.Services.AddKeyedFlagstone("code", options => options.RedisUrl = " ");
        using IHost host = builder.Build();
        AggregateException errors = await Assert.ThrowsAsync<AggregateException>(() => host.StartAsync());
        Assert.Contains("RedisUrl: it is empty; null is the default (client 'code')", errors.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", errors.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Code_has_the_last_word_over_the_section()
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration.AddJsonStream(Json("""{"Flagstone":{"Redis":{"Prefix":"section","Url":"redis://127.0.0.1:1"}}}"""));
        using TestEnvironment environment = new(server);
        environment.Write(Flags.Bool("yes", 1, true));
        builder.Services.AddFlagstone(builder.Configuration.GetSection("Flagstone"), options => options.RedisUrl = server.Url)
            .Configure(options => options.RedisPrefix = environment.Prefix);
        using IHost host = builder.Build();
        await host.StartAsync();
        using Context ada = Context.New("ada");
        Assert.True(host.Services.GetRequiredService<FlagstoneClient>().BoolVariation("yes", ada));
        await host.StopAsync();
    }

    [Fact]
    public void Every_option_of_the_library_that_is_text_a_number_or_a_word_is_a_setting()
    {
        // As the binding's own table names them: its property of that name is found by the setting.
        foreach (System.Reflection.PropertyInfo property in typeof(FlagstoneOptions).GetProperties().Where(property => property.CanWrite))
        {
            if (property.Name is "TestData" or "LoggerFactory" or "Hooks" or "Plugins" or "BigSegmentStore" or "RedisCredentialsProvider")
            {
                continue;
            }
            ServiceCollection services = new();
            IConfiguration configuration = new ConfigurationBuilder()
                .AddInMemoryCollection([new("Flagstone:" + property.Name, "/dev/null/none")]).Build();
            services.AddFlagstone(configuration.GetSection("Flagstone"));
            using ServiceProvider provider = services.BuildServiceProvider();
            try
            {
                _ = provider.GetRequiredService<IOptions<FlagstoneOptions>>().Value;
            }
            catch (OptionsValidationException error)
            {
                Assert.DoesNotContain("there is no such setting", error.Message, StringComparison.Ordinal);
            }
        }
    }

    private static (FlagstoneOptions Options, FlagstoneHostingOptions Hosting) Read(string json)
    {
        ServiceCollection services = new();
        services.AddFlagstone(new ConfigurationBuilder().AddJsonStream(Json(json)).Build().GetSection("Flagstone"));
        using ServiceProvider provider = services.BuildServiceProvider();
        return (
            provider.GetRequiredService<IOptions<FlagstoneOptions>>().Value,
            provider.GetRequiredService<IOptions<FlagstoneHostingOptions>>().Value);
    }

    private static MemoryStream Json(string text) => new(Encoding.UTF8.GetBytes(text));
}
