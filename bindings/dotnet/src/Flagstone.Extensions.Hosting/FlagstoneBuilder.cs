// What AddFlagstone returns: further words about one client.
using System;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Flagstone.Extensions.Hosting;

/// <summary>A client that is being registered.</summary>
public sealed class FlagstoneBuilder
{
    internal FlagstoneBuilder(IServiceCollection services, string name)
    {
        Services = services;
        Name = name;
    }

    /// <summary>Where it is registered.</summary>
    public IServiceCollection Services { get; }

    /// <summary>Its name, which is the key of its services; empty for the one without a name.</summary>
    public string Name { get; }

    /// <summary>Changes its options, after what was said before.</summary>
    /// <param name="configure">Changes them.</param>
    /// <returns>This builder.</returns>
    public FlagstoneBuilder Configure(Action<FlagstoneOptions> configure)
    {
        Services.Configure(Name, configure ?? throw new ArgumentNullException(nameof(configure)));
        return this;
    }

    /// <summary>The same with services at hand, for example for hooks or credentials.</summary>
    /// <param name="configure">Changes them.</param>
    /// <returns>This builder.</returns>
    public FlagstoneBuilder Configure(Action<IServiceProvider, FlagstoneOptions> configure)
    {
        _ = configure ?? throw new ArgumentNullException(nameof(configure));
        Services.AddSingleton<IConfigureOptions<FlagstoneOptions>>(services =>
            new ConfigureNamedOptions<FlagstoneOptions>(Name, options => configure(services, options)));
        return this;
    }

    /// <summary>Changes what the host does with it.</summary>
    /// <param name="configure">Changes that.</param>
    /// <returns>This builder.</returns>
    public FlagstoneBuilder ConfigureHosting(Action<FlagstoneHostingOptions> configure)
    {
        Services.Configure(Name, configure ?? throw new ArgumentNullException(nameof(configure)));
        return this;
    }
}
