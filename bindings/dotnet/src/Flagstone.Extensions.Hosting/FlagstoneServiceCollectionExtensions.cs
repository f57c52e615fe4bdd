// Registers clients, and contexts of a scope.
using System;
using System.Diagnostics.Metrics;
using System.Linq;
using Flagstone;
using Flagstone.Extensions.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds Flagstone to the services of a host.</summary>
/// <remarks>
/// A client is a singleton, as <see cref="FlagstoneClient"/> and as <see cref="IFlagstoneClient"/>. It starts before the other hosted
/// services and ends after them. Its options are checked when the host starts; the message names the setting.
/// </remarks>
public static class FlagstoneServiceCollectionExtensions
{
    /// <summary>Adds the client of an application with one environment.</summary>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets its options.</param>
    /// <returns>For further words about it.</returns>
    /// <exception cref="InvalidOperationException">There is one already.</exception>
    public static FlagstoneBuilder AddFlagstone(this IServiceCollection services, Action<FlagstoneOptions> configure) =>
        Add(services, Options.Options.DefaultName, null).Configure(configure);

    /// <summary>Adds the client of an application with one environment, with options of a section of the configuration.</summary>
    /// <remarks>
    /// Settings are named as the properties of <see cref="FlagstoneOptions"/> and <see cref="FlagstoneHostingOptions"/>, in parts or
    /// whole: <c>Flagstone:Redis:Url</c> is <c>Flagstone:RedisUrl</c>. Unknown ones are refused. They are read when the host starts.
    /// </remarks>
    /// <param name="services">The services.</param>
    /// <param name="section">For example <c>configuration.GetSection("Flagstone")</c>.</param>
    /// <param name="configure">Changes what the section says; null changes nothing.</param>
    /// <returns>For further words about it.</returns>
    /// <exception cref="InvalidOperationException">There is one already.</exception>
    public static FlagstoneBuilder AddFlagstone(
        this IServiceCollection services, IConfiguration section, Action<FlagstoneOptions>? configure = null) =>
        Configured(Add(services, Options.Options.DefaultName, NotNull(section)), configure);

    /// <summary>Adds the client of one of several environments: its services have its name as their key.</summary>
    /// <param name="services">The services.</param>
    /// <param name="name">The name.</param>
    /// <param name="configure">Sets its options.</param>
    /// <returns>For further words about it.</returns>
    /// <exception cref="InvalidOperationException">There is one with this name already.</exception>
    public static FlagstoneBuilder AddKeyedFlagstone(
        this IServiceCollection services, string name, Action<FlagstoneOptions> configure) =>
        Add(services, Named(name), null).Configure(configure);

    /// <summary>
    /// As <see cref="AddKeyedFlagstone(IServiceCollection, string, Action{FlagstoneOptions})"/>, with options of a section as
    /// <see cref="AddFlagstone(IServiceCollection, IConfiguration, Action{FlagstoneOptions}?)"/> reads them.
    /// </summary>
    /// <param name="services">The services.</param>
    /// <param name="name">The name.</param>
    /// <param name="section">The section.</param>
    /// <param name="configure">Changes what the section says; null changes nothing.</param>
    /// <returns>For further words about it.</returns>
    /// <exception cref="InvalidOperationException">There is one with this name already.</exception>
    public static FlagstoneBuilder AddKeyedFlagstone(
        this IServiceCollection services, string name, IConfiguration section, Action<FlagstoneOptions>? configure = null) =>
        Configured(Add(services, Named(name), NotNull(section)), configure);

    /// <summary>
    /// Adds a <see cref="Context"/> for each scope, which is a request in ASP.NET Core; made when it is first asked for, and disposed
    /// of with the scope.
    /// </summary>
    /// <param name="services">The services.</param>
    /// <param name="make">Makes it, for example of what <c>IHttpContextAccessor</c> tells of the request.</param>
    /// <returns>The services.</returns>
    public static IServiceCollection AddFlagstoneContext(this IServiceCollection services, Func<IServiceProvider, Context> make) =>
        services.AddScoped(make ?? throw new ArgumentNullException(nameof(make)));

    private static FlagstoneBuilder Add(IServiceCollection services, string name, IConfiguration? section)
    {
        _ = services ?? throw new ArgumentNullException(nameof(services));
        if (services.Any(service => service.ServiceType == typeof(HostedClient)
            && ((HostedClient)service.ImplementationInstance!).Name == name))
        {
            throw new InvalidOperationException(name.Length == 0
                ? "There is a Flagstone client already. Further ones need names: AddKeyedFlagstone."
                : $"There is a Flagstone client named '{name}' already. Each needs a name of its own.");
        }
        FlagstoneSettings settings = new(name, section);
        services.AddSingleton(new HostedClient(name));
        services.AddSingleton<IConfigureOptions<FlagstoneOptions>>(settings);
        services.AddSingleton<IConfigureOptions<FlagstoneHostingOptions>>(settings);
        services.AddSingleton<IValidateOptions<FlagstoneOptions>>(settings);
        services.AddSingleton<IValidateOptions<FlagstoneHostingOptions>>(settings);
        services.AddOptions<FlagstoneOptions>(name).ValidateOnStart();
        services.AddOptions<FlagstoneHostingOptions>(name).ValidateOnStart();
        if (name.Length == 0)
        {
            services.AddSingleton(provider => Make(provider, name));
            services.AddSingleton<IFlagstoneClient>(static provider => provider.GetRequiredService<FlagstoneClient>());
        }
        else
        {
            services.AddKeyedSingleton(name, (provider, _) => Make(provider, name));
            services.AddKeyedSingleton<IFlagstoneClient>(
                name, static (provider, key) => provider.GetRequiredKeyedService<FlagstoneClient>(key));
        }
        services.AddHostedService<FlagstoneHostedService>();
        return new FlagstoneBuilder(services, name);
    }

    private static FlagstoneBuilder Configured(FlagstoneBuilder builder, Action<FlagstoneOptions>? configure) =>
        configure is null ? builder : builder.Configure(configure);

    private static FlagstoneClient Make(IServiceProvider services, string name)
    {
        FlagstoneOptions options = services.GetRequiredService<IOptionsMonitor<FlagstoneOptions>>().Get(name);
        FlagstoneHostingOptions hosting = services.GetRequiredService<IOptionsMonitor<FlagstoneHostingOptions>>().Get(name);
        options.LoggerFactory ??= services.GetService<ILoggerFactory>();
        TelemetryPlugin telemetry = new(new TelemetryOptions
        {
            ActivityEvents = hosting.ActivityEvents,
            ContextId = hosting.ActivityContextId,
            Meter = services.GetService<IMeterFactory>()?.Create(new MeterOptions(FlagstoneTelemetry.MeterName)),
            Tags = name.Length == 0 ? [] : [new(HostedClient.Tag, name)],
        });
        options.Plugins = [.. options.Plugins ?? [], telemetry];
        return new FlagstoneClient(options);
    }

    private static IConfiguration NotNull(IConfiguration section) => section ?? throw new ArgumentNullException(nameof(section));

    private static string Named(string name) => string.IsNullOrEmpty(name)
        ? throw new ArgumentException("the name is empty: AddFlagstone adds a client without one", nameof(name))
        : name;
}
