// Where things are in the source tree.
using System.Linq;
using System.Reflection;

namespace Flagstone.Tests.Support;

/// <summary>Paths of the project, as the build knew them.</summary>
internal static class Project
{
    /// <summary>Root of the source tree, with a separator at the end.</summary>
    internal static string Root { get; } = Metadata("FlagstoneRoot");

    /// <summary>Where cargo builds, with a separator at the end.</summary>
    internal static string Target { get; } = Metadata("FlagstoneTarget");

    /// <summary>Debug or Release.</summary>
    internal static string Configuration { get; } = Metadata("Configuration");

    /// <summary>The folder of this binding, with a separator at the end.</summary>
    internal static string Binding { get; } = Root + "bindings/dotnet/";

    /// <summary>The library that cargo built.</summary>
    internal static string Library { get; } = Target + "release/libflagstone.so";

    private static string Metadata(string key) =>
        typeof(Project).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(attribute => attribute.Key == key).Value!;
}
